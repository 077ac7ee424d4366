#include "linker/gateway.h"

#include <algorithm>

#include "linker/printable.h"
#include "proto/link/link_properties.h"

namespace farshore::linker {
namespace {

constexpr Duration kLoadLimit = seconds(10), kTakeOverLimit = seconds(10);
constexpr Duration kForgetLimit = seconds(60);  // of one round; what is left is left to the next one
constexpr std::string_view kVersion = "0.1.0";

// The last message about a topic whose verb could not be carried out.
template <class Message>
Message failed(const std::string& topic, const Error& error) {
  Message message;
  message.set_topic(topic);
  message.set_done(true);
  message.set_error(error.to_string());
  return message;
}

}  // namespace

Gateway::Gateway(Env& env, Connector& connector, GatewayOptions options)
    : env_(env),
      connector_(connector),
      options_(std::move(options)),
      target_(env, connector, "target", options_.target, options_.target_cluster_id.value()),
      started_(env.now()),
      metrics_(std::make_shared<LinkMetrics>(env.metrics())),
      stopping_(env),
      tried_(env),
      changing_(env),
      gate_(env) {
  env.metrics().on_collect([this, alive = std::weak_ptr<LinkMetrics>(metrics_)] {
    if (!alive.expired()) show_metrics();
  });
}

Gateway::~Gateway() = default;

void Gateway::show_metrics() {
  MetricRegistry& registry = env_.metrics();
  registry.gauge("farshore_gateway_ready", "1 when the stored links have been taken over.").set(loaded_ ? 1 : 0);
  registry.gauge("farshore_gateway_links", "Links of this gateway.").set(static_cast<double>(links_.size()));
  if (home_) home_->show_metrics(registry);
  std::vector<LinkReading> readings;
  readings.reserve(links_.size());
  for (const auto& [name, link] : links_) readings.push_back(link->read(options_.metrics_topics_max));
  metrics_->show(readings);
}

void Gateway::start() { spawn(gate_, "gateway load", load()); }

Task<void> Gateway::tried() { (void)co_await tried_.wait(Deadline::never()); }

Task<void> Gateway::stop() {
  stopping_.set();
  tried_.set();
  target_.close();
  for (auto& entry : links_) co_await entry.second->stop();
  if (home_) co_await home_->stop();
  co_await gate_.close();
  links_.clear();
}

Task<Status> Gateway::open_home() {
  if (in_control_) co_return ok();
  if (!home_) {
    CO_TRY(auto target, co_await identify(target_, env_.in(kLoadLimit)));
    LinkHomeOptions options;
    options.target = options_.target;
    options.target_cluster_id = target.cluster_id;
    options.translations = translations_;
    home_ = make_link_home(env_, connector_, target_, target.farshore, std::move(options));
  }
  CO_CHECK(co_await home_->take_over(env_.in(kTakeOverLimit)));
  in_control_ = true;
  co_return ok();
}

Task<void> Gateway::watch() {
  std::string told;
  while (!stopping_.is_set()) {
    (void)co_await stopping_.wait(env_.in(options_.watch));
    if (stopping_.is_set()) break;
    auto ours = co_await home_->still_ours(env_.in(kLoadLimit));
    if (!ours && ours.error() == ErrorCode::kFenced) {
      co_await give_up(std::move(ours).error());
      break;
    }
    if (!ours) continue;  // a target that is silent says nothing
    if (!unsure_.empty()) {
      auto guard = co_await changing_.lock();
      (void)co_await adopt_unsure(env_.in(kLoadLimit));  // or in the next round
    }
    auto forgotten = co_await home_->forget_deleted(std::string(), env_.in(kForgetLimit));
    const std::string problem = forgotten ? std::string() : forgotten.error().to_string();
    if (!forgotten && problem != told && !stopping_.is_set())
      env_.log().warn("what deleted links left cannot be forgotten yet", {{"error", forgotten.error()}});
    told = problem;
  }
}

Task<void> Gateway::give_up(Error fenced) {
  auto guard = co_await changing_.lock();
  loaded_ = false;
  load_error_ =
      "another gateway has taken over the links of this target; this one does nothing any more: " + fenced.to_string();
  env_.log().error("another gateway has taken over: this one stops its links", {{"reason", fenced}});
  auto links = std::move(links_);
  links_.clear();
  for (auto& entry : links) co_await entry.second->stop();
}

Task<void> Gateway::load() {
  while (!stopping_.is_set()) {
    Status loaded = ok();
    auto opened = co_await open_home();
    Result<std::vector<StoredEntry>> stored = Error(ErrorCode::kUnavailable);
    if (opened)
      stored = co_await home_->store().list(std::string(kLinkKeyPrefix), env_.in(kLoadLimit));
    else
      stored = opened.error();
    if (stored) {
      for (auto& entry : *stored) {
        if (parse_link_key(entry.key).kind != LinkKey::Kind::kLink) continue;
        auto taken = co_await take_over(entry, env_.in(kTakeOverLimit));
        if (!taken) loaded = taken;
      }
    } else {
      loaded = stored.error();
    }
    if (loaded) {
      loaded_ = true;
      tried_.set();
      env_.log().info("gateway ready", {{"target", to_string(options_.target)}, {"links", links_.size()}});
      spawn(gate_, "gateway watch", watch());
      co_return;
    }
    if (loaded.error() == ErrorCode::kFenced) {  // never fought over: the later one has it
      co_await give_up(loaded.error());
      tried_.set();
      co_return;
    }
    std::string kind(error_name(loaded.error().code));
    std::replace(kind.begin(), kind.end(), ' ', '_');
    env_.metrics()
        .counter(
            "farshore_gateway_takeover_errors_total",
            "Tries to take hold of the target's links that failed, by the kind of error; conflict: another cluster "
            "is behind the target's address.",
            {{"kind", std::move(kind)}})
        .add(1);
    if (load_error_ != loaded.error().to_string())
      env_.log().warn("the stored links cannot be taken over yet", {{"error", loaded.error()}});
    load_error_ = loaded.error().to_string();
    tried_.set();
    (void)co_await stopping_.wait(env_.in(options_.retry));
  }
}

Task<Status> Gateway::take_over(StoredEntry entry, Deadline deadline) {
  auto guard = co_await changing_.lock();
  auto link = decode_stored_link(entry.value);
  if (!link) co_return std::move(link).error().in(entry.key);
  if (links_.count(link->spec.name)) co_return ok();
  link->epoch = link->epoch + 1;
  entry.value = encode(*link);
  auto revision = co_await home_->store().replace(std::move(entry), deadline);
  if (!revision) co_return revision.error();
  if (stopping_.is_set()) co_return Error(ErrorCode::kClosed);
  auto controller = make_controller(*link, *revision);
  if (!controller) co_return std::move(controller).error().in("link " + link->spec.name);
  (*controller)->start();
  env_.log().info("link taken over", {{"link", link->spec.name}, {"epoch", link->epoch}});
  links_[link->spec.name] = std::move(*controller);
  co_return ok();
}

Result<Gateway::Controller> Gateway::make_controller(const StoredLink& link, int64_t revision) {
  FARSHORE_TRY(auto target, home_->make_target(link));
  return std::make_shared<LinkController>(env_, connector_, arena_, home_->store(), std::move(target), link, revision,
                                          options_.replicator);
}

Result<Gateway::Controller> Gateway::find(const std::string& link) const {
  auto it = links_.find(link);
  if (it != links_.end()) return it->second;
  if (!loaded_) return Error(ErrorCode::kUnavailable, "the gateway has not read its links yet: " + load_error_);
  std::string known;
  for (const auto& entry : links_) known += (known.empty() ? "" : ", ") + entry.first;
  return Error(ErrorCode::kNotFound,
               "no link '" + link + "'; " + (known.empty() ? "there is none" : "there are: " + known));
}

Task<Result<api::ListLinksReply>> Gateway::list_links() {
  if (!loaded_) co_return Error(ErrorCode::kUnavailable, "the gateway has not read its links yet: " + load_error_);
  api::ListLinksReply reply;
  for (const auto& entry : links_) *reply.add_links() = entry.second->describe();
  co_return reply;
}

Task<Result<api::Link>> Gateway::describe_link(std::string name) {
  CO_TRY(auto link, find(name));
  co_return link->describe();
}

Task<Result<api::Link>> Gateway::update_link(api::UpdateLinkRequest request, Deadline deadline) {
  CO_TRY(auto link, find(request.link()));
  LinkController::Edit edit = [&request](StoredLink& stored) -> Status {
    for (const auto& [key, value] : request.set()) FARSHORE_CHECK(set_property(stored.spec, key, value));
    return ok();
  };
  StoredLink check = link->link();
  CO_CHECK(edit(check));
  if (!request.dry_run()) CO_CHECK(co_await link->update(std::move(edit), deadline));
  co_return link->describe();
}

Task<Result<api::Link>> Gateway::pause_link(std::string name, bool paused, Deadline deadline) {
  CO_TRY(auto link, find(name));
  LinkController::Edit edit = [paused](StoredLink& stored) -> Status {
    stored.state = paused ? LinkState::kPaused : LinkState::kActive;
    stored.state_reason = paused ? "paused by its operator" : "";
    return ok();
  };
  CO_CHECK(co_await link->update(std::move(edit), deadline));
  co_return link->describe();
}

Task<Result<api::DeleteLinkReply>> Gateway::delete_link(api::DeleteLinkRequest request, Deadline deadline) {
  CO_TRY(auto link, find(request.link()));
  api::DeleteLinkReply reply;
  int live = 0;
  for (const auto& topic : link->mirror_names()) {
    auto mirror = link->describe_mirror(topic);
    if (mirror && mirror->state() != "STOPPED") {
      ++live;
      const bool relay = mirror->mode() == "relay";
      reply.add_plan("leave " + topic + (relay ? " as it is" : " as a read-only mirror") + ", which nothing fills (" +
                     mirror->state() + ")");
    }
  }
  int relayed = 0;
  for (const auto& topic : link->mirror_names()) {
    auto mirror = link->describe_mirror(topic);
    if (mirror && mirror->mode() == "relay") ++relayed;
  }
  if (relayed > 0)
    reply.add_plan("forget the offset translation of " + std::to_string(relayed) +
                   " topics: who has not moved to the target yet cannot be told any more where to go on");
  reply.add_plan("forget link " + request.link());
  if (request.dry_run()) co_return reply;
  if (live > 0 && !request.force())
    co_return Error(ErrorCode::kInvalidArgument, "link " + request.link() + " has " + std::to_string(live) +
                                                     " mirror topics that are not STOPPED: promote or fail them over "
                                                     "first, or give --force (they stay as they are)");
  auto guard = co_await changing_.lock();
  CO_CHECK(co_await link->forget(deadline));
  links_.erase(request.link());
  co_await link->stop();
  auto forgotten = co_await home_->forget_deleted(request.link(), deadline);
  if (!forgotten)
    reply.add_plan("what the link kept at the target is not forgotten yet, and will be: " +
                   forgotten.error().to_string());
  co_return reply;
}

Task<Result<api::MirrorTopic>> Gateway::create_mirror(api::CreateMirrorRequest request, Deadline deadline) {
  CO_TRY(auto link, find(request.link()));
  const std::string name = target_topic_name(link->link().spec, request.source_topic());
  if (!request.topic().empty() && request.topic() != name)
    co_return Error(ErrorCode::kInvalidArgument,
                    "the link's prefix makes the name '" + name + "': a mirror topic is named by its link");
  LinkController::Edit edit = [&request](StoredLink& stored) -> Status {
    Filter filter;
    filter.name = request.source_topic();
    if (!selected(stored.spec.topics, filter.name)) stored.spec.topics.push_back(filter);
    if (!selected(stored.spec.topics, filter.name))
      return Error(ErrorCode::kInvalidArgument, "an exclude filter of the link names '" + filter.name + "'");
    return ok();
  };
  StoredLink check = link->link();
  CO_CHECK(edit(check));
  api::MirrorTopic out;
  if (!request.dry_run()) {
    CO_CHECK(co_await link->update(std::move(edit), deadline));
    while (!link->has_mirror(name)) {
      auto waited = co_await stopping_.wait(std::min(deadline, env_.in(milliseconds(50))));
      if (waited || deadline.passed(env_.now()))
        co_return Error(ErrorCode::kTimedOut,
                        "the source has no topic '" + request.source_topic() + "' yet; it is mirrored when it appears");
    }
    if (auto mirror = link->describe_mirror(name)) out = *mirror;
  }
  co_return out;
}

Task<Result<api::ListMirrorsReply>> Gateway::list_mirrors(api::ListMirrorsRequest request) {
  if (!request.state().empty() && !parse_mirror_state(request.state()))
    co_return Error(ErrorCode::kInvalidArgument, "no mirror topic state is called '" + request.state() + "'");
  api::ListMirrorsReply reply;
  if (!request.link().empty()) CO_CHECK(find(request.link()));
  for (const auto& entry : links_) {
    if (!request.link().empty() && entry.first != request.link()) continue;
    for (const auto& topic : entry.second->mirror_names()) {
      auto mirror = entry.second->describe_mirror(topic);
      if (mirror && (request.state().empty() || mirror->state() == request.state())) *reply.add_mirrors() = *mirror;
    }
  }
  co_return reply;
}

Task<Result<api::MirrorTopic>> Gateway::describe_mirror(api::MirrorRef request) {
  CO_TRY(auto link, find(request.link()));
  auto mirror = link->describe_mirror(request.topic());
  if (!mirror)
    co_return Error(ErrorCode::kNotFound, "link " + request.link() + " has no mirror topic " + request.topic());
  co_return *mirror;
}

Result<std::vector<std::string>> Gateway::topics_of(const Controller& link,
                                                    const google::protobuf::RepeatedPtrField<std::string>& named,
                                                    bool all) const {
  std::vector<std::string> topics(named.begin(), named.end());
  if (all) topics = link->mirror_names();
  if (topics.empty()) return Error(ErrorCode::kInvalidArgument, "no mirror topic is named, and the link has none");
  for (const auto& topic : topics)
    if (!link->has_mirror(topic))
      return Error(ErrorCode::kNotFound, "link " + link->link().spec.name + " has no mirror topic " + topic);
  return topics;
}

Task<Result<api::MirrorsReply>> Gateway::pause_mirrors(api::MirrorsRequest request, bool paused, Deadline deadline) {
  CO_TRY(auto link, find(request.link()));
  CO_TRY(auto topics, topics_of(link, request.topics(), request.all()));
  api::MirrorsReply reply;
  for (const auto& topic : topics) {
    reply.add_plan((paused ? "pause " : "resume ") + topic);
    if (!request.dry_run()) CO_CHECK(co_await link->pause_mirror(topic, paused, deadline));
    if (auto mirror = link->describe_mirror(topic)) *reply.add_mirrors() = *mirror;
  }
  co_return reply;
}

Task<Status> Gateway::failover(api::FailoverRequest request, LinkController::Progress progress, Deadline deadline) {
  CO_TRY(auto link, find(request.link()));
  CO_TRY(auto topics, topics_of(link, request.topics(), request.all()));
  for (const auto& topic : topics) {
    auto done = co_await link->failover(topic, request.dry_run(), progress, deadline);
    if (!done) progress(failed<api::VerbProgress>(topic, done.error()));
  }
  co_return ok();
}

Task<Status> Gateway::promote(api::PromoteRequest request, LinkController::Progress progress, Deadline deadline) {
  CO_TRY(auto link, find(request.link()));
  CO_TRY(auto topics, topics_of(link, request.topics(), request.all()));
  LinkController::PromoteOptions options;
  options.dry_run = request.dry_run();
  options.source_quiesced = request.source_quiesced();
  options.allow_source_writes = request.allow_source_writes();
  for (const auto& topic : topics) {
    auto done = co_await link->promote(topic, options, progress, deadline);
    if (!done) progress(failed<api::VerbProgress>(topic, done.error()));
  }
  co_return ok();
}

Task<Status> Gateway::verify(api::VerifyRequest request, LinkController::Verified verified, Deadline deadline) {
  CO_TRY(auto link, find(request.link()));
  CO_TRY(auto topics, topics_of(link, request.topics(), request.all()));
  for (const auto& topic : topics) {
    auto done = co_await link->verify(topic, verified, deadline);
    if (!done) verified(failed<api::VerifyProgress>(topic, done.error()));
  }
  co_return ok();
}

Task<Result<api::TranslateOffsetReply>> Gateway::translate(api::TranslateOffsetRequest request) {
  CO_TRY(auto link, find(request.link()));
  co_return co_await link->translate(std::move(request));
}

Task<Result<api::ListGroupSyncReply>> Gateway::group_sync(api::ListGroupSyncRequest request) {
  CO_TRY(auto link, find(request.link()));
  api::ListGroupSyncReply all = link->group_sync(), reply;
  for (const auto& group : all.groups())
    if (request.group().empty() || group.group() == request.group() || printable(group.group()) == request.group())
      *reply.add_groups() = group;
  co_return reply;
}

api::StatusReply Gateway::status(const api::StatusRequest& request) const {
  api::StatusReply reply;
  reply.set_gateway_version(std::string(kVersion));
  reply.set_uptime_ms(std::chrono::duration_cast<milliseconds>(env_.now() - started_).count());
  reply.set_not_ready_reason(not_ready_reason());
  for (const auto& [name, link] : links_) {
    if (!request.link().empty() && name != request.link()) continue;
    *reply.add_links() = link->describe();
    for (const auto& topic : link->mirror_names()) {
      auto mirror = link->describe_mirror(topic);
      if (mirror) *reply.add_mirrors() = std::move(*mirror);
    }
  }
  return reply;
}

}  // namespace farshore::linker
