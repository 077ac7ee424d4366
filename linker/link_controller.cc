#include "linker/link_controller.h"

#include <algorithm>

namespace farshore::linker {
namespace {

constexpr Duration kRoundLimit = seconds(20);        // of one round of a task
constexpr Duration kUnavailableAfter = seconds(10);  // without a word from the source
constexpr Duration kWatchInterval = milliseconds(500);

kafka::ClusterOptions data_options(const std::vector<Endpoint>& bootstrap, const std::string& cluster_id) {
  kafka::ClusterOptions options;
  options.bootstrap = bootstrap;
  if (!cluster_id.empty()) options.cluster_id = cluster_id;
  options.connect_timeout = seconds(5);
  options.request_timeout = seconds(10);
  return options;
}

replicator::ReplicatorOptions replicator_options(const LinkSpec& spec, replicator::ReplicatorOptions options) {
  if (spec.on_divergence == OnDivergence::kStop) options.pump.on_divergence = replicator::OnMismatch::kStop;
  return options;
}

}  // namespace

LinkController::LinkController(Env& env, Connector& connector, SlabArena& arena, StoredLink link, int64_t revision,
                               replicator::ReplicatorOptions options)
    : env_(env),
      link_(std::move(link)),
      revision_(revision),
      source_(env, connector, "source", link_.spec.source, link_.spec.source_cluster_id),
      target_(env, connector, "target", link_.spec.target, link_.spec.target_cluster_id),
      target_control_(env, target_),
      source_control_(env, source_),
      source_data_(env, connector, data_options(link_.spec.source, link_.spec.source_cluster_id)),
      target_data_(env, connector, data_options(link_.spec.target, link_.spec.target_cluster_id)),
      sink_(env, target_data_, link_.id, link_.epoch, replicator::MirrorSinkOptions()),
      replicator_(env, arena, source_data_, sink_, link_.id, replicator_options(link_.spec, options), *this),
      rounds_(env),
      stopping_(env),
      wake_discovery_(env),
      storing_(env),
      gate_(env) {
  state_ = link_.state;
  state_reason_ = link_.state_reason;
  state_since_ms_ = wall_ms();
  last_source_contact_ = env.now();
}

LinkController::~LinkController() = default;

int64_t LinkController::wall_ms() const { return env_.wall_now().milliseconds_since_epoch; }

void LinkController::start() {
  spawn(gate_, "replicator", replicator_.run());
  spawn(gate_, "link discovery", discovery_loop());
  spawn(gate_, "link groups", group_loop());
  spawn(gate_, "link watch", watch_loop());
}

Task<void> LinkController::stop() {
  stopping_.set();
  wake_discovery_.set();
  rounds_.notify();
  co_await replicator_.stop();
  source_.close();
  target_.close();
  source_data_.close();
  target_data_.close();
  co_await gate_.close();
}

Task<Status> LinkController::first_round(Deadline deadline) {
  while (discovery_.runs == 0 && !stopping_.is_set()) CO_CHECK(co_await rounds_.wait(deadline));
  if (discovery_.error.code != ErrorCode::kNone) co_return discovery_.error;
  co_return ok();
}

void LinkController::ran(LinkTask& task, const Status& status) {
  if (!status && task.error.to_string() != status.error().to_string())
    env_.log().warn("link task failed", {{"link", link_.spec.name}, {"task", task.name}, {"error", status.error()}});
  task.error = status ? Error() : status.error();
  task.last_run_ms = wall_ms();
  ++task.runs;
  rounds_.notify();
}

Task<void> LinkController::discovery_loop() {
  while (!stopping_.is_set()) {
    if (link_.state == LinkState::kActive) {
      auto found = co_await discover(env_.in(kRoundLimit));
      ran(discovery_, found);
      if (!found && (found.error() == ErrorCode::kConflict || found.error() == ErrorCode::kFenced))
        set_link_state(LinkState::kFailed, found.error().to_string());
    }
    wake_discovery_.reset();
    if (stopping_.is_set()) break;
    (void)co_await wake_discovery_.wait(env_.in(milliseconds(link_.spec.topic_sync_interval_ms)));
  }
}

Task<Status> LinkController::adopt(Deadline deadline) {
  // Before the source is asked: a gateway that starts after the source was lost must be able to fail over.
  CO_TRY(auto found, co_await target_control_.mirrors_of(link_.id, deadline));
  for (const auto& answer : found) {
    Mirror& mirror = mirrors_[answer.name.value_or("")];
    if (!mirror.topic.empty()) continue;
    mirror.topic = *answer.name;
    mirror.source_topic = answer.source_topic.value_or("");
    mirror.id = answer.topic_id;
    mirror.source_id = answer.source_topic_id;
    set_state(mirror, MirrorState::kActive, "");
    if (answer.mirror_state == 0) continue;
    mirror.promotion = promotion_of(answer, mirror);
    set_state(mirror, MirrorState::kStopped, mirror.promotion->kind());
  }
  adopted_ = true;
  co_return ok();
}

Task<Status> LinkController::discover(Deadline deadline) {
  if (!adopted_) CO_CHECK(co_await adopt(deadline));
  CO_TRY(auto source, co_await source_.identify(deadline));
  CO_TRY(auto target, co_await target_.identify(deadline));
  if (source.cluster_id == target.cluster_id)
    co_return Error(ErrorCode::kConflict,
                    "source and target are the same cluster (" + source.cluster_id + "): a link joins two");
  if (!target.farshore)
    co_return Error(ErrorCode::kConflict,
                    "the target is no Farshore cluster: mirror mode keeps offsets, which only it can; "
                    "use --mode relay");
  source_is_farshore_ = source.farshore;
  link_.spec.source_cluster_id = source.cluster_id;
  link_.spec.target_cluster_id = target.cluster_id;
  CO_TRY(auto topics, co_await source_.topics(deadline));
  last_source_contact_ = env_.now();
  std::vector<std::string> names;
  std::vector<TopicInfo> chosen;
  for (auto& topic : topics) {
    if (topic.internal || !selected(link_.spec.topics, topic.name)) continue;
    names.push_back(topic.name);
    chosen.push_back(std::move(topic));
  }
  CO_TRY(auto configs, co_await source_.topic_configs(names, deadline));
  Status result;
  for (auto& topic : chosen) {
    auto taken = co_await take_topic(topic, configs[topic.name], deadline);
    if (!taken && taken.error() == ErrorCode::kFenced) co_return taken;
    if (!taken) result = taken;
  }
  ran(configs_, co_await sync_configs(std::move(configs), deadline));
  co_return result;
}

bool LinkController::follows(const std::string& key) const {
  const auto& keys = link_.spec.config_include.empty() ? default_config_include() : link_.spec.config_include;
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

Task<Status> LinkController::take_topic(TopicInfo topic, std::map<std::string, std::string> configs,
                                        Deadline deadline) {
  const std::string name = target_topic_name(link_.spec, topic.name);
  Mirror& mirror = mirrors_[name];
  if (mirror.topic.empty()) {
    mirror.topic = name;
    mirror.source_topic = topic.name;
    mirror.since_ms = wall_ms();
  }
  if (mirror.state == MirrorState::kStopped) co_return ok();
  if (mirror.state == MirrorState::kFailed && mirror.source_id == topic.id) co_return ok();  // until it is resumed
  if (!mirror.pumps.empty() && mirror.source_id == topic.id &&
      mirror.pumps.size() >= static_cast<size_t>(topic.partitions))
    co_return ok();
  TargetControl::NewMirror wanted;
  wanted.topic = name;
  wanted.source_cluster_id = link_.spec.source_cluster_id;
  wanted.source_topic = topic.name;
  wanted.source_topic_id = topic.id;
  wanted.partitions = topic.partitions;
  for (auto& [key, value] : configs)
    if (follows(key)) wanted.configs[key] = value;
  if (source_is_farshore_) {
    auto there = co_await source_control_.describe(topic.name, 0, deadline);
    if (there) wanted.provenance = there->source_provenance;
  }
  auto made = co_await target_control_.create(link_.id, link_.epoch, std::move(wanted), deadline);
  if (!made) {
    // What was promoted by this link before a restart of the gateway is shown as what it is.
    auto there = co_await target_control_.describe(name, topic.partitions, deadline);
    if (there && there->link_id == link_.id && there->mirror_state > 0) {
      mirror.id = there->topic_id;
      mirror.source_id = there->source_topic_id;
      mirror.promotion = promotion_of(*there, mirror);
      mirror.state = MirrorState::kActive;
      set_state(mirror, MirrorState::kStopped, mirror.promotion->kind());
      co_return ok();
    }
    if (error_retriable(made.error().code)) co_return made.error();
    if (mirror.state != MirrorState::kFailed) {
      stop_pumps(mirror);
      set_state(mirror, MirrorState::kFailed, made.error().to_string());
    }
    co_return made.error();
  }
  mirror.id = made->topic_id;
  mirror.source_id = topic.id;
  for (int32_t p = static_cast<int32_t>(mirror.pumps.size()); p < topic.partitions; ++p) {
    replicator::PartitionSpec spec;
    spec.source_topic = topic.name;
    spec.source_topic_id = topic.id;
    spec.partition = p;
    spec.target.topic = name;
    spec.target.topic_id = mirror.id;
    auto key = replicator_.add(std::move(spec));
    mirror.pumps.push_back(key);
    mirror_by_pump_[key] = name;
  }
  const auto& paused = link_.paused_topics;
  if (std::find(paused.begin(), paused.end(), name) != paused.end()) {
    for (const auto& key : mirror.pumps) replicator_.pause(key);
    set_state(mirror, MirrorState::kPaused, "paused by its operator");
  } else {
    set_state(mirror, MirrorState::kActive, "");
  }
  co_return ok();
}

Task<Status> LinkController::sync_configs(std::map<std::string, std::map<std::string, std::string>> source,
                                          Deadline deadline) {
  std::vector<std::string> names;
  for (const auto& [name, mirror] : mirrors_)
    if (pumps(mirror.state)) names.push_back(name);
  if (names.empty()) co_return ok();
  CO_TRY(auto target, co_await target_.topic_configs(names, deadline));
  Status result;
  for (const auto& name : names) {
    Mirror& mirror = mirrors_[name];
    const auto& wanted = source[mirror.source_topic];
    auto& have = target[name];
    std::map<std::string, std::optional<std::string>> changes;
    mirror.drift.clear();
    for (const auto& [key, value] : wanted) {
      if (have.count(key) && have[key] == value) continue;
      if (follows(key))
        changes[key] = value;
      else
        mirror.drift.push_back(key + ": source " + value + ", target " + (have.count(key) ? have[key] : "default"));
    }
    for (const auto& [key, value] : have)
      if (!wanted.count(key) && follows(key)) changes[key] = std::nullopt;
    for (auto& change : changes) {
      std::map<std::string, std::optional<std::string>> one{change};
      auto altered = co_await target_.alter_topic_configs(name, std::move(one), deadline);
      if (altered) continue;
      mirrors_[name].drift.push_back(change.first + ": " + altered.error().to_string());
      if (error_retriable(altered.error().code)) result = altered;
    }
  }
  co_return result;
}

Task<Status> LinkController::update(Edit edit, Deadline deadline) {
  auto guard = co_await storing_.lock();
  StoredLink changed = link_;
  CO_CHECK(edit(changed));
  StoredEntry entry;
  entry.key = "link/" + changed.spec.name;
  entry.value = encode(changed);
  entry.revision = revision_;
  auto revision = co_await target_control_.replace(std::move(entry), deadline);
  if (!revision) {
    if (revision.error() == ErrorCode::kConflict)
      set_link_state(LinkState::kFailed, "another gateway has taken this link over");
    co_return revision.error();
  }
  revision_ = *revision;
  const bool was_paused = link_.state == LinkState::kPaused;
  link_ = std::move(changed);
  set_link_state(link_.state, link_.state_reason);
  for (auto& [name, mirror] : mirrors_) {
    const bool topic_paused =
        std::find(link_.paused_topics.begin(), link_.paused_topics.end(), name) != link_.paused_topics.end();
    const bool pause = link_.state == LinkState::kPaused || topic_paused;
    if (pause && pumps(mirror.state)) {
      for (const auto& key : mirror.pumps) replicator_.pause(key);
      if (topic_paused) set_state(mirror, MirrorState::kPaused, "paused by its operator");
    } else if (!pause && (mirror.state == MirrorState::kPaused || (was_paused && pumps(mirror.state)))) {
      for (const auto& key : mirror.pumps) replicator_.resume(key);
      set_state(mirror, MirrorState::kActive, "");
    }
  }
  wake_discovery_.set();
  co_return ok();
}

Task<Status> LinkController::forget(Deadline deadline) {
  auto guard = co_await storing_.lock();
  StoredEntry entry;
  entry.key = "link/" + link_.spec.name;
  entry.revision = revision_;
  CO_CHECK(co_await target_control_.replace(std::move(entry), deadline));
  co_return ok();
}

Task<Status> LinkController::pause_mirror(std::string topic, bool paused, Deadline deadline) {
  if (!has_mirror(topic))
    co_return Error(ErrorCode::kNotFound, "link " + link_.spec.name + " has no mirror topic " + topic);
  Mirror& mirror = mirrors_[topic];
  const MirrorState wanted = paused ? MirrorState::kPaused : MirrorState::kActive;
  if (!may_follow(mirror.state, wanted))
    co_return Error(ErrorCode::kInvalidArgument, "mirror topic " + topic + " is " + std::string(name(mirror.state)) +
                                                     " and cannot become " + std::string(name(wanted)));
  const bool failed = mirror.state == MirrorState::kFailed;
  Edit edit = [topic, paused](StoredLink& link) -> Status {
    std::erase(link.paused_topics, topic);
    if (paused) link.paused_topics.push_back(topic);
    return ok();
  };
  CO_CHECK(co_await update(std::move(edit), deadline));
  if (failed && !paused) {
    set_state(mirrors_[topic], MirrorState::kActive, "");
    for (const auto& key : mirrors_[topic].pumps) replicator_.restart(key);
    if (mirrors_[topic].pumps.empty()) mirrors_[topic].source_id = TopicId();  // discovery tries again
    wake_discovery_.set();
  }
  co_return ok();
}

Task<void> LinkController::watch_loop() {
  rate_at_ = env_.now();
  while (!stopping_.is_set()) {
    uint64_t bytes = 0;
    for (const auto& p : replicator_.progress()) {
      bytes += p.pump.bytes;
      if (p.contact) last_source_contact_ = std::max(last_source_contact_, p.last_contact);
    }
    const MonoTime now = env_.now();
    const double elapsed = std::chrono::duration<double>(now - rate_at_).count();
    if (elapsed > 0) {
      const double rate = bytes >= rate_bytes_ ? static_cast<double>(bytes - rate_bytes_) / elapsed : 0;
      bytes_per_second_ = bytes_per_second_ * 0.5 + rate * 0.5;
    }
    rate_at_ = now;
    rate_bytes_ = bytes;
    if (link_.state == LinkState::kActive && state_ != LinkState::kFailed) {
      const bool silent = now - last_source_contact_ > kUnavailableAfter;
      if (silent && state_ == LinkState::kActive)
        set_link_state(LinkState::kUnavailable, "the source has not answered: " + discovery_.error.to_string());
      if (!silent && state_ == LinkState::kUnavailable) set_link_state(LinkState::kActive, "");
      for (auto& [name, mirror] : mirrors_) {
        if (silent && mirror.state == MirrorState::kActive)
          set_state(mirror, MirrorState::kSourceUnavailable, "the source has not answered");
        if (!silent && mirror.state == MirrorState::kSourceUnavailable) set_state(mirror, MirrorState::kActive, "");
      }
    }
    (void)co_await stopping_.wait(env_.in(kWatchInterval));
  }
}

void LinkController::set_state(Mirror& mirror, MirrorState state, std::string reason) {
  if (mirror.state == state && mirror.reason == reason) return;
  ensure(may_follow(mirror.state, state), "a mirror topic's states follow the table of mirror_state.h");
  env_.log().info("mirror topic", {{"link", link_.spec.name},
                                   {"topic", mirror.topic},
                                   {"from", name(mirror.state)},
                                   {"to", name(state)},
                                   {"reason", reason}});
  mirror.state = state;
  mirror.reason = std::move(reason);
  mirror.since_ms = wall_ms();
}

void LinkController::set_link_state(LinkState state, std::string reason) {
  if (state_ == state && state_reason_ == reason) return;
  if (!may_follow(state_, state)) return;
  env_.log().info("link", {{"link", link_.spec.name}, {"from", name(state_)}, {"to", name(state)}, {"reason", reason}});
  state_ = state;
  state_reason_ = std::move(reason);
  state_since_ms_ = wall_ms();
}

void LinkController::stop_pumps(Mirror& mirror) {
  for (const auto& key : mirror.pumps) {
    replicator_.remove(key);
    mirror_by_pump_.erase(key);
  }
  mirror.pumps.clear();
}

LinkController::Mirror* LinkController::mirror_of(const replicator::PumpKey& key) {
  auto name = mirror_by_pump_.find(key);
  return name == mirror_by_pump_.end() ? nullptr : &mirrors_[name->second];
}

std::string LinkController::where(const replicator::PumpKey& key) {
  Mirror* mirror = mirror_of(key);
  return (mirror ? mirror->topic : std::string("?")) + "-" + std::to_string(key.partition.value());
}

void LinkController::pump_caught_up(const replicator::PumpKey&) {}

void LinkController::pump_diverged(const replicator::PumpKey& key, replicator::LostRange lost, bool cut) {
  env_.log().error("the source lost data that was mirrored", {{"partition", where(key)},
                                                              {"from", lost.from},
                                                              {"to", lost.to},
                                                              {"first_epoch", lost.first_epoch},
                                                              {"last_epoch", lost.last_epoch},
                                                              {"truncated", cut}});
  Mirror* mirror = mirror_of(key);
  if (!cut && mirror && pumps(mirror->state))
    set_state(*mirror, MirrorState::kFailed,
              "partition " + std::to_string(key.partition.value()) + ": the source lost offsets " +
                  std::to_string(lost.from.value()) + " to " + std::to_string(lost.to.value()) +
                  ", which were mirrored (on.divergence=stop)");
}

void LinkController::pump_retention_gap(const replicator::PumpKey& key, SourceOffset from, SourceOffset to, bool) {
  env_.log().error("the source deleted records before they could be mirrored",
                   {{"partition", where(key)}, {"from", from}, {"to", to}});
}

void LinkController::pump_log_start_moved(const replicator::PumpKey&, SourceOffset) {}

void LinkController::pump_topic_gone(const replicator::PumpKey& key, const Error& why) {
  Mirror* mirror = mirror_of(key);
  if (mirror && pumps(mirror->state))
    set_state(*mirror, MirrorState::kFailed, "the source topic is gone: " + why.to_string());
}

void LinkController::pump_failed(const replicator::PumpKey& key, const Error& why) {
  Mirror* mirror = mirror_of(key);
  if (mirror && pumps(mirror->state))
    set_state(*mirror, MirrorState::kFailed,
              "partition " + std::to_string(key.partition.value()) + ": " + why.to_string());
}

}  // namespace farshore::linker
