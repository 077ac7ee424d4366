#include "tests/life/testing/life_world.h"

#include "broker/broker_config.h"
#include "broker/handlers/services.h"
#include "broker/metadata/metadata.h"
#include "broker/partitions/partition_table.h"
#include "linker/store/metastore_link_store.h"
#include "proto/batch/builder.h"
#include "proto/kafka/client/topic_admin.h"
#include "proto/kafka/messages/delete_groups.h"
#include "proto/kafka/messages/delete_records.h"
#include "proto/kafka/messages/delete_topics.h"
#include "proto/kafka/messages/link_state.h"
#include "proto/kafka/messages/produce.h"
#include "proto/link/link_metastore.h"

namespace farshore::life {
namespace {

using kafka::Repeat;

sim::SimOptions sim_options() {
  sim::SimOptions options;
  options.seed = 1;
  options.buggify = false;
  return options;
}

kafka::Bytes bytes_of(std::string_view text) {
  ConstBytes view = as_bytes(text);
  return kafka::Bytes(view.begin(), view.end());
}

Task<void> start_task(broker::Broker& broker, Status& result) { result = co_await broker.start(); }

template <class T>
Task<void> ask_task(Task<Result<T>> task, Result<T>& result) {
  result = co_await std::move(task);
}

Task<void> end_task(Task<Status> task, bool& ended) {
  (void)co_await std::move(task);
  ended = true;
}

template <class Request, class Check>
Task<Status> send_task(kafka::ClusterAdmin& admin, Request request, Check code_of, Deadline deadline) {
  CO_TRY(auto response, co_await admin.client().call_any(std::move(request), Repeat::kYes, deadline));
  const int16_t code = code_of(response);
  if (code != 0) co_return kafka::to_error(code, "test");
  co_return ok();
}

}  // namespace

LifeWorld::LifeWorld() : world_(sim_options()), client_(world_.start_process("client", "client")) {
  for (const char* host : {kEast, kWest})
    nodes_[host].admin = std::make_unique<kafka::ClusterAdmin>(client_, client_.network(), host,
                                                               std::vector<Endpoint>{Endpoint{host, 9092}}, "");
}

LifeWorld::~LifeWorld() {
  for (auto& [host, running] : gateways_) kill_gateway(host);
  for (auto& [host, node] : nodes_) kill_broker(host);
  world_.kill(client_);
}

template <class T>
Result<T> LifeWorld::ask(sim::SimEnv& env, Task<Result<T>> task) {
  Result<T> result = Error(ErrorCode::kInternal, "it did not end");
  EXPECT_TRUE(world_.run(env, ask_task<T>(std::move(task), result), kLimit));
  return result;
}

template <class T>
T LifeWorld::expect(Result<T> result) {
  EXPECT_TRUE(result) << result.error().to_string();
  if constexpr (!std::is_void_v<T>) return result ? std::move(*result) : T();
}

void LifeWorld::start_broker(const std::string& host, const Settings& settings) {
  Node& node = nodes_[host];
  Config config(broker::broker_schema());
  EXPECT_TRUE(config.set("listeners", "PLAINTEXT://" + host + ":9092"));
  EXPECT_TRUE(config.set("log.dirs", "/data"));
  for (const auto& [name, value] : settings) EXPECT_TRUE(config.set(name, value)) << name;
  node.env = &world_.start_process(host, "broker");
  node.broker = std::make_unique<broker::Broker>(*node.env, node.env->kv(), std::move(config));
  Status result = Error(ErrorCode::kInternal, "did not end");
  ASSERT_TRUE(world_.run(*node.env, start_task(*node.broker, result), kLimit));
  ASSERT_TRUE(result) << result.error().to_string();
}

void LifeWorld::freeze_broker(const std::string& host, bool frozen) {
  if (frozen)
    nodes_[host].env->pause();
  else
    nodes_[host].env->resume();
}

void LifeWorld::kill_broker(const std::string& host) {
  Node& node = nodes_[host];
  if (!node.broker) return;
  world_.kill(*node.env);
  node.broker.reset();
}

void LifeWorld::start_gateway(const std::string& host, const std::string& target) {
  kill_gateway(host);
  Running& running = gateways_[host];
  running.env = &world_.start_process(host, "gateway");
  linker::GatewayOptions options;
  options.target.push_back(Endpoint{target, 9092});
  running.gateway = std::make_unique<linker::Gateway>(*running.env, running.env->network(), std::move(options));
  running.gateway->start();
  EXPECT_TRUE(until([&] { return running.gateway->ready(); })) << running.gateway->not_ready_reason();
}

void LifeWorld::kill_gateway(const std::string& host) {
  Running& running = gateways_[host];
  if (!running.gateway) return;
  world_.kill(*running.env);
  running.gateway.reset();
}

void LifeWorld::create(const std::string& at, const std::string& topic, int32_t partitions, const Settings& configs) {
  kafka::TopicAdmin topics(admin(at));
  expect(ask(client_, topics.create(topic, partitions, configs, false, soon(client_))));
}

void LifeWorld::delete_topic(const std::string& at, const std::string& topic) {
  kafka::DeleteTopicsRequest request;
  request.timeout_ms = 10000;
  request.topics.emplace_back().name = topic;
  request.topic_names.push_back(topic);
  auto code = [](const auto& response) { return response.responses.at(0).error_code; };
  expect(ask(client_, send_task(admin(at), std::move(request), code, soon(client_))));
}

void LifeWorld::produce(const std::string& at, const std::string& topic, int records, int keys) {
  EXPECT_EQ(produce_batch(at, topic, records, keys), 0);
}

bool LifeWorld::can_produce(const std::string& at, const std::string& topic) { return try_to_produce(at, topic) == 0; }

int16_t LifeWorld::try_to_produce(const std::string& at, const std::string& topic) {
  return produce_batch(at, topic, 1, 1);
}

int16_t LifeWorld::produce_batch(const std::string& at, const std::string& topic, int records, int keys) {
  BatchBuilder builder;
  const int64_t now = client_.wall_now().milliseconds_since_epoch;
  for (int i = 0; i < records; ++i) builder.add(now, "key-" + std::to_string(i % keys), std::string(50, 'v'));
  auto batch = builder.build();
  kafka::ProduceRequest request;
  request.acks = -1;
  request.timeout_ms = 5000;
  auto& data = request.topic_data.emplace_back();
  data.name = topic;
  data.topic_id = nodes_[at].broker->services().metadata.image()->topic(topic)->id;
  data.partition_data.emplace_back().records = kafka::Records::view(batch);
  int16_t answer = 0;
  auto code = [&answer](const auto& response) {
    answer = response.responses.at(0).partition_responses.at(0).error_code;
    return int16_t{0};
  };
  expect(ask(client_, send_task(admin(at), std::move(request), code, soon(client_))));
  return answer;
}

void LifeWorld::delete_records(const std::string& at, const std::string& topic, int64_t before) {
  kafka::DeleteRecordsRequest request;
  request.timeout_ms = 10000;
  auto& wanted = request.topics.emplace_back();
  wanted.name = topic;
  wanted.partitions.emplace_back().offset = before;
  auto code = [](const auto& response) { return response.topics.at(0).partitions.at(0).error_code; };
  expect(ask(client_, send_task(admin(at), std::move(request), code, soon(client_))));
}

void LifeWorld::commit(const std::string& at, const std::string& group, const std::string& topic, int64_t offset) {
  kafka::GroupOffsets offsets;
  offsets[{topic, 0}] = {offset, -1};
  expect(ask(client_, admin(at).commit_group_offsets(group, std::move(offsets), soon(client_))));
}

void LifeWorld::delete_group(const std::string& at, const std::string& group) {
  kafka::DeleteGroupsRequest request;
  request.groups_names.push_back(group);
  auto code = [](const auto& response) { return response.results.at(0).error_code; };
  expect(ask(client_, send_task(admin(at), std::move(request), code, soon(client_))));
}

int64_t LifeWorld::committed(const std::string& at, const std::string& group, const std::string& topic) {
  auto offsets = expect(ask(client_, admin(at).group_offsets(group, soon(client_))));
  auto found = offsets.find({topic, 0});
  return found == offsets.end() ? -1 : found->second.offset;
}

std::string LifeWorld::config(const std::string& at, const std::string& topic, const std::string& key) {
  std::vector<std::string> topics{topic};
  return expect(ask(client_, admin(at).topic_configs(std::move(topics), soon(client_))))[topic][key];
}

void LifeWorld::configure(const std::string& at, const std::string& topic, const std::string& key,
                          const std::string& value) {
  std::map<std::string, std::optional<std::string>> changes{{key, value}};
  expect(ask(client_, admin(at).alter_topic_configs(topic, std::move(changes), soon(client_))));
}

void LifeWorld::store(const std::vector<std::pair<std::string, std::string>>& entries) {
  kafka::LinkStateRequest request;
  request.timeout_ms = 20000;
  request.op = wire_value(LinkMetastoreOperation::kTxn);
  for (const auto& [key, value] : entries) {
    auto& change = request.changes.emplace_back();
    change.key = bytes_of(key);
    change.value = bytes_of(value);
  }
  auto code = [](const auto& response) { return response.error_code; };
  expect(ask(client_, send_task(admin(kWest), std::move(request), code, soon(client_))));
}

std::vector<std::string> LifeWorld::stored_keys(const std::string& prefix) {
  linker::MetastoreLinkStore links(admin(kWest).client());
  linker::LinkStore& store = links;
  std::vector<std::string> keys;
  for (const auto& entry : expect(ask(client_, store.list(prefix, soon(client_))))) keys.push_back(entry.key);
  return keys;
}

broker::PartitionPtr LifeWorld::partition(const std::string& at, const std::string& topic) {
  auto found = nodes_[at].broker->services().partitions.find(std::string_view(topic), 0);
  return found ? *found : nullptr;
}

LifeWorld::Ends LifeWorld::ends(const std::string& at, const std::string& topic) {
  auto found = partition(at, topic);
  if (!found) return {};
  return {found->ends().log_start.value(), found->ends().end.value()};
}

uint64_t LifeWorld::size_bytes(const std::string& at, const std::string& topic) {
  auto found = partition(at, topic);
  return found ? found->log().size_bytes() : 0;
}

void LifeWorld::link(const std::string& topics, const std::string& gateway, const std::string& source) {
  expect(link_within(seconds(60), topics, gateway, source));
}

Result<api::CreateLinkReply> LifeWorld::link_within(Duration limit, const std::string& topics,
                                                    const std::string& gateway, const std::string& source) {
  api::CreateLinkRequest request;
  auto& spec = *request.mutable_spec();
  spec.set_name(kLink);
  spec.mutable_source()->set_bootstrap(source + ":9092");
  spec.set_group_sync(true);
  (*spec.mutable_extra())["topics"] = topics;
  (*spec.mutable_extra())["topic.sync.interval.ms"] = "1000";
  spec.add_topics()->set_name("*");
  Running& at = gateways_[gateway];
  return ask(*at.env, at.gateway->create_link(std::move(request), at.env->in(limit)));
}

Result<api::StatusReply> LifeWorld::status(const std::string& link, const std::string& gateway) {
  api::StatusRequest request;
  request.set_link(link);
  return gateways_[gateway].gateway->status(request);
}

Result<api::DeleteLinkReply> LifeWorld::delete_link(bool dry_run, bool force, const std::string& gateway) {
  api::DeleteLinkRequest request;
  request.set_link(kLink);
  request.set_dry_run(dry_run);
  request.set_force(force);
  Running& at = gateways_[gateway];
  return ask(*at.env, at.gateway->delete_link(std::move(request), soon(*at.env)));
}

api::Link LifeWorld::describe(const std::string& gateway) {
  Running& at = gateways_[gateway];
  return expect(ask(*at.env, at.gateway->describe_link(kLink)));
}

void LifeWorld::discover() {
  api::StatusRequest request;
  request.set_link(kLink);
  request.set_discover(true);
  expect(gateways_["gateway"].gateway->status(request));
}

std::vector<Result<api::Link>> LifeWorld::update_both(std::pair<std::string, std::string> one,
                                                      std::pair<std::string, std::string> other) {
  Running& at = gateways_["gateway"];
  std::vector<Result<api::Link>> answers(2, Error(ErrorCode::kInternal, "it did not end"));
  size_t number = 0;
  for (const auto& [key, value] : {std::move(one), std::move(other)}) {
    api::UpdateLinkRequest request;
    request.set_link(kLink);
    (*request.mutable_set())[key] = value;
    auto update = at.gateway->update_link(std::move(request), soon(*at.env));
    world_.spawn(*at.env, ask_task<api::Link>(std::move(update), answers[number++]));
  }
  EXPECT_TRUE(until([&] { return answers[0] && answers[1]; }));
  return answers;
}

Result<api::Link> LifeWorld::update(const std::string& key, const std::string& value, const std::string& gateway,
                                    bool dry_run) {
  api::UpdateLinkRequest request;
  request.set_dry_run(dry_run);
  request.set_link(kLink);
  (*request.mutable_set())[key] = value;
  Running& at = gateways_[gateway];
  return ask(*at.env, at.gateway->update_link(std::move(request), soon(*at.env)));
}

api::MirrorTopic LifeWorld::mirror(const std::string& topic, const std::string& gateway) {
  api::StatusRequest request;
  const api::StatusReply status = expect(gateways_[gateway].gateway->status(request));
  for (const auto& mirror : status.mirrors())
    if (mirror.topic() == topic) return mirror;
  return {};
}

void LifeWorld::pause_link(bool paused) {
  Running& at = gateways_["gateway"];
  expect(ask(*at.env, at.gateway->pause_link(kLink, paused, soon(*at.env))));
}

api::VerbProgress LifeWorld::promote(const std::string& topic) {
  api::PromoteRequest request;
  request.set_link(kLink);
  request.add_topics(topic);
  api::VerbProgress last;
  Running& at = gateways_["gateway"];
  auto progress = [&last](api::VerbProgress message) { last = std::move(message); };
  expect(ask(*at.env, at.gateway->promote(std::move(request), progress, soon(*at.env))));
  return last;
}

Duration LifeWorld::fenced_for(const std::string& at, const std::string& topic) {
  const Node& node = nodes_[at];
  const auto* found = node.broker->services().metadata.image()->topic(topic);
  Duration longest{};
  for (const WriteFence& fence : found->fences) {
    if (!fence.holds()) continue;
    const Duration left = milliseconds(fence.until_ms - node.env->wall_now().milliseconds_since_epoch);
    longest = std::max(longest, fence.forever() ? Duration::max() : left);
  }
  return longest;
}

Result<api::MirrorTopic> LifeWorld::create_mirror(const std::string& source_topic) {
  api::CreateMirrorRequest request;
  request.set_link(kLink);
  request.set_source_topic(source_topic);
  Running& at = gateways_["gateway"];
  return ask(*at.env, at.gateway->create_mirror(std::move(request), soon(*at.env)));
}

std::string LifeWorld::group_state(const std::string& group, const std::string& gateway) {
  api::ListGroupSyncRequest request;
  request.set_link(kLink);
  request.set_group(group);
  Running& at = gateways_[gateway];
  auto shown = ask(*at.env, at.gateway->group_sync(std::move(request)));
  if (!shown || shown->groups_size() == 0 || shown->groups(0).partitions_size() == 0) return "";
  return shown->groups(0).partitions(0).state();
}

Status LifeWorld::pause(const std::string& topic, bool paused, const std::string& gateway) {
  api::MirrorsRequest request;
  request.set_link(kLink);
  request.add_topics(topic);
  Running& at = gateways_[gateway];
  auto done = ask(*at.env, at.gateway->pause_mirrors(std::move(request), paused, soon(*at.env)));
  if (!done) return done.error();
  return ok();
}

api::VerbProgress LifeWorld::failover(const std::string& topic, const std::string& gateway) {
  api::FailoverRequest request;
  request.set_link(kLink);
  request.add_topics(topic);
  api::VerbProgress last;
  Running& at = gateways_[gateway];
  auto progress = [&last](api::VerbProgress message) { last = std::move(message); };
  expect(ask(*at.env, at.gateway->failover(std::move(request), progress, soon(*at.env))));
  return last;
}

std::vector<api::VerbProgress> LifeWorld::failover_all(const std::string& gateway) {
  api::FailoverRequest request;
  request.set_link(kLink);
  request.set_all(true);
  std::vector<api::VerbProgress> all;
  Running& at = gateways_[gateway];
  auto progress = [&all](api::VerbProgress message) { all.push_back(std::move(message)); };
  expect(ask(*at.env, at.gateway->failover(std::move(request), progress, soon(*at.env))));
  return all;
}

LifeWorld::Answer LifeWorld::failover_as(api::FailoverRequest request, const std::string& gateway) {
  Answer answer;
  Running& at = gateways_[gateway];
  const MonoTime begun = at.env->now();
  auto progress = [&answer](api::VerbProgress message) { answer.messages.push_back(std::move(message)); };
  answer.status = ask(*at.env, at.gateway->failover(std::move(request), progress, at.env->in(minutes(4))));
  answer.took = at.env->now() - begun;
  return answer;
}

LifeWorld::Answer LifeWorld::failover_without_link(const std::vector<std::string>& topics, bool dry_run,
                                                   const std::string& gateway) {
  api::FailoverRequest request;
  for (const auto& topic : topics) request.add_topics(topic);
  request.set_all(topics.empty());
  request.set_dry_run(dry_run);
  return failover_as(std::move(request), gateway);
}

LifeWorld::Answer LifeWorld::promote_as(api::PromoteRequest request) {
  Answer answer;
  Running& at = gateways_["gateway"];
  const MonoTime begun = at.env->now();
  auto progress = [&answer](api::VerbProgress message) { answer.messages.push_back(std::move(message)); };
  answer.status = ask(*at.env, at.gateway->promote(std::move(request), progress, at.env->in(minutes(4))));
  answer.took = at.env->now() - begun;
  return answer;
}

std::vector<api::VerifyProgress> LifeWorld::verify(const std::string& topic) {
  api::VerifyRequest request;
  request.set_link(kLink);
  if (!topic.empty()) request.add_topics(topic);
  request.set_all(topic.empty());
  std::vector<api::VerifyProgress> rows;
  Running& at = gateways_["gateway"];
  auto report = [&rows](api::VerifyProgress row) {
    if (row.done()) rows.push_back(std::move(row));
  };
  expect(ask(*at.env, at.gateway->verify(std::move(request), report, at.env->in(minutes(4)))));
  return rows;
}

void LifeWorld::set_round_trip(const std::string& a, const std::string& b, Duration time) {
  sim::LinkProfile far;
  far.delay_min = far.delay_max = time / 2;
  world_.net().set_profile(a, b, far);
  world_.net().set_profile(b, a, far);
}

Result<api::MirrorsReply> LifeWorld::all_mirrors(const std::string& verb) {
  api::MirrorsRequest request;
  request.set_link(kLink);
  request.set_all(true);
  Running& at = gateways_["gateway"];
  if (verb == "unfence") return ask(*at.env, at.gateway->unfence_mirrors(std::move(request), soon(*at.env)));
  return ask(*at.env, at.gateway->pause_mirrors(std::move(request), verb == "pause", soon(*at.env)));
}

void LifeWorld::begin_promote(const std::string& topic, Duration limit, Promote& promote) {
  api::PromoteRequest request;
  request.set_link(kLink);
  request.set_all(topic.empty());
  if (!topic.empty()) request.add_topics(topic);
  Running& at = gateways_["gateway"];
  auto progress = [&promote](api::VerbProgress message) { promote.messages.push_back(std::move(message)); };
  world_.spawn(*at.env, end_task(at.gateway->promote(std::move(request), progress, at.env->in(limit)), promote.ended));
}

void LifeWorld::begin_failover(const std::string& topic, linker::CallerPtr caller, bool& ended) {
  api::FailoverRequest request;
  request.set_link(kLink);
  request.add_topics(topic);
  Running& at = gateways_["gateway"];
  auto quiet = [](api::VerbProgress) {};
  world_.spawn(*at.env, end_task(at.gateway->failover(std::move(request), quiet, soon(*at.env), caller), ended));
}

bool LifeWorld::has_ended(const std::string& at, const std::string& topic) {
  const auto image = nodes_[at].broker->services().metadata.image();
  const auto* found = image->topic(topic);
  return found && found->mirror && found->mirror->ended();
}

bool LifeWorld::mirrored(const std::string& topic) {
  const api::MirrorTopic mirror = this->mirror(topic);
  return mirror.state() == "ACTIVE" && mirror.partitions_size() > 0 && mirror.lag_records() == 0 &&
         mirror.lag_unknown_partitions() == 0;
}

}  // namespace farshore::life
