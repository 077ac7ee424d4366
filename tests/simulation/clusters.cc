#include "tests/simulation/clusters.h"

#include <cstdio>

#include "base/ensure.h"
#include "base/sim/disk.h"
#include "base/sim/net.h"
#include "broker/broker.h"
#include "broker/broker_config.h"
#include "broker/groups/coordinator.h"
#include "broker/handlers/services.h"
#include "tests/simulation/link_scenario.h"

namespace farshore::simulation {
namespace {

sim::SimOptions sim_options(const RunOptions& run) {
  sim::SimOptions options;
  options.seed = run.seed;
  options.plant = run.plant;
  return options;
}

}  // namespace

Clusters::Clusters(const RunOptions& options, History& history, size_t gateways)
    : options_(options),
      world_(sim_options(options)),
      random_(world_.random()),
      history_(history),
      power_losses_(random_.chance(0.5)),
      small_segments_(random_.chance(0.5)),
      bytewise_(random_.chance(0.1)),
      disk_faults_(random_.chance(0.3)),
      clock_jumps_(random_.chance(0.3)) {
  // Of its own, so that the rest of a seed stays what it was.
  Random way(options.seed ^ 0x6c6f6e6720776179);
  if (way.chance(0.3)) {
    long_way_ = milliseconds(way.between(8, 60));
    ahead_ask_bytes_ = static_cast<size_t>(way.between(8'000, 20'000));
  }
  east_.fsync = random_.chance(0.5);
  west_.fsync = random_.chance(0.5);
  gateways_.emplace_back(kGateway);
  if (gateways > 1) gateways_.emplace_back(kGateway2);
}

std::vector<const char*> Clusters::hosts() const {
  std::vector<const char*> all{kEast, kWest};
  for (const GatewayNode& node : gateways_) all.push_back(node.host);
  all.push_back(kClient);
  return all;
}

std::vector<sim::SimEnv*> Clusters::processes() const {
  std::vector<sim::SimEnv*> all{east_.env, west_.env};
  for (const GatewayNode& node : gateways_) all.push_back(node.env);
  return all;
}

std::string Clusters::how() const {
  return std::string("source ") + (east_.fsync ? "fsync" : "page cache") + ", target " +
         (west_.fsync ? "fsync" : "page cache") + (power_losses_ ? ", power losses" : "") +
         (disk_faults_ ? ", disk errors" : "") + (clock_jumps_ ? ", clock jumps" : "") +
         (bytewise_ ? ", reads of 1-3 bytes" : "") + (long_way_ > Duration(0) ? ", a long way" : "");
}

void Clusters::say(const std::string& text) {
  if (options_.verbose) std::printf("%s %s\n", world_.time_text().c_str(), text.c_str());
}

void Clusters::start() {
  if (bytewise_) world_.net().set_read_style(sim::ReadStyle::kBytes);
  set_profiles();
  start_broker(east_);
  start_broker(west_);
  for (GatewayNode& node : gateways_) start_gateway(node);
}

void Clusters::start_broker(Node& node) {
  Config config(broker::broker_schema());
  const auto set = [&](const char* name, const std::string& value) {
    ensure(static_cast<bool>(config.set(name, value)), name);
  };
  set("listeners", "PLAINTEXT://" + std::string(node.host) + ":9092");
  set("log.dirs", "/data");
  set("durability", node.fsync ? "fsync" : "page-cache");
  set("offsets.topic.num.partitions", "2");
  if (small_segments_) set("log.segment.bytes", "20000");
  if (gateways_.size() > 1) {
    set("log.retention.check.interval.ms", "2000");
    set("log.cleaner.backoff.ms", "2000");
  }
  broker::BrokerPlants plants;
  plants.high_watermark_before_truncation = options_.plants(Plant::kHighWatermarkBeforeTruncation);
  node.env = &world_.start_process(node.host, "broker");
  auto made = std::make_shared<broker::Broker>(*node.env, node.env->kv(), std::move(config), plants);
  node.broker = made.get();
  node.started = false;
  node.high_watermark = {};
  world_.spawn(*node.env, start_task(node));
  node.env->hold(std::move(made));
  say(std::string("start ") + node.host);
}

Task<void> Clusters::start_task(Node& node) {
  sim::SimEnv& env = *node.env;
  auto started = co_await node.broker->start();
  if (started) {
    node.started = true;
    co_return;
  }
  if (!node.disk_fault) {
    history_.violation(std::string(node.host) + " does not start: " + started.error().to_string());
    co_return;
  }
  say(std::string(node.host) + " does not start on its disk: " + started.error().to_string());
  world_.kill(env);  // a program that ends; it is started again like any that died
}

void Clusters::start_gateway(GatewayNode& node) {
  node.env = &world_.start_process(node.host, "gateway");
  linker::GatewayOptions options;
  options.target.push_back(Endpoint{kWest, 9092});
  if (long_way_ > Duration(0)) {  // a backlog of a few batches is read ahead
    options.replicator.fetcher.ahead_ask_bytes = options.replicator.fetcher.partition_bytes_max = ahead_ask_bytes_;
    options.replicator.fetcher.ahead_bytes_max = ahead_ask_bytes_ * 6;
    options.replicator.fetcher.ahead_ask_bytes_min = ahead_ask_bytes_ / 16;
  }
  options.replicator.pump.test_only_resume_from_memory = options_.plants(Plant::kResumeFromMemory);
  auto made = std::make_shared<linker::Gateway>(*node.env, node.env->network(), std::move(options));
  node.gateway = made.get();
  if (gateways_.size() == 1)
    world_.spawn(*node.env, gateway_task());
  else
    node.gateway->start();
  node.env->hold(std::move(made));
  say(std::string("start ") + node.host);
}

Task<void> Clusters::gateway_task() {  // and the operator, who asks for a link until there is one
  sim::SimEnv& env = gateway_env();
  linker::Gateway& gateway = this->gateway();
  gateway.start();
  while (!east_is_gone_) {
    co_await env.sleep(milliseconds(200));
    if (!gateway.ready()) continue;
    auto links = co_await gateway.list_links();
    if (links && links->links_size() > 0) co_return;
    linker::api::CreateLinkRequest request;
    auto& spec = *request.mutable_spec();
    spec.set_name(kLink);
    spec.mutable_source()->set_bootstrap("east-1:9092");
    spec.mutable_target()->set_bootstrap("west-1:9092");
    spec.set_mode("mirror");
    spec.add_topics()->set_name("*");
    spec.set_group_sync(true);
    spec.set_topic_sync_interval_ms(1000);
    spec.set_on_divergence("truncate-all");
    auto created = co_await gateway.create_link(std::move(request), env.in(seconds(10)));
    create_error_ = created ? "" : created.error().to_string();
    if (created || created.error().code == ErrorCode::kAlreadyExists) co_return;
  }
}

void Clusters::revive(double chance) {
  if (east_.env->dead() && !east_is_gone_ && random_.chance(chance)) start_broker(east_);
  if (west_.env->dead() && random_.chance(chance)) start_broker(west_);
  for (GatewayNode& node : gateways_)
    if (!node.up() && random_.chance(chance)) start_gateway(node);
  for (sim::SimEnv* env : processes())
    if (!env->dead() && env->paused() && random_.chance(chance)) env->resume();
}

void Clusters::kill(Node& node) {
  if (!node.env->dead()) world_.kill(*node.env);
}

void Clusters::set_profiles() {
  for (const char* a : hosts())
    for (const char* b : hosts()) world_.net().set_profile(a, b, {});
  if (long_way_ == Duration(0)) return;
  sim::LinkProfile far;
  far.delay_min = long_way_;
  far.delay_max = long_way_ + milliseconds(2);
  for (const GatewayNode& node : gateways_) {
    world_.net().set_profile(kEast, node.host, far);
    world_.net().set_profile(node.host, kEast, far);
  }
}

void Clusters::heal() {
  say("heal everything");
  for (Node* node : {&east_, &west_}) {
    if (!node->env->dead() && node->env->paused()) node->env->resume();
    world_.disk(node->host).heal();
    world_.host(node->host).wall_offset_ms = 0;
  }
  for (GatewayNode& node : gateways_)
    if (node.up() && node.env->paused()) node.env->resume();
  world_.run_for(seconds(3));  // swizzles end
  world_.net().heal();
  set_profiles();
  world_.net().set_read_style(sim::ReadStyle::kSeeded);
  for (Node* node : {&east_, &west_}) {
    if (node->disk_fault) kill(*node);  // as the operator does who reads that a log is offline
    node->disk_fault = false;
  }
  revive(1);
}

broker::PartitionPtr Clusters::partition(Node& node, const std::string& topic, int32_t index) {
  if (!node.up()) return nullptr;
  auto found = node.broker->services().partitions.find(std::string_view(topic), index);
  return found ? *found : nullptr;
}

Duration Clusters::since_begin(int64_t wall_ms) {
  const int64_t off = world_.host(kEast).wall_offset_ms;
  return world_.now() - milliseconds(east_.env->wall_now().milliseconds_since_epoch - off - wall_ms);
}

std::map<int32_t, int64_t> Clusters::committed(Node& node, const std::string& group, const std::string& topic) {
  std::map<int32_t, int64_t> offsets;
  if (!node.up()) return offsets;
  const auto fetched = node.broker->services().groups.fetch(group);
  if (fetched.error != kafka::ErrorCode::kNone || !fetched.offsets) return offsets;
  for (int32_t i = 0; i < kPartitions; ++i)
    if (const auto* at = fetched.offsets->find(topic, i)) offsets[i] = at->offset.value();
  return offsets;
}

}  // namespace farshore::simulation
