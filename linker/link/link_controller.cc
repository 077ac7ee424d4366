#include "linker/link/link_controller.h"

#include <algorithm>

#include "proto/link/relay_topic.h"

namespace farshore::linker {
namespace {

constexpr Duration kRoundLimit = seconds(20);        // of one round of a task
constexpr Duration kUnavailableAfter = seconds(10);  // without a word from the source
constexpr Duration kWatchInterval = milliseconds(500);
constexpr Duration kFencedPause = milliseconds(500);

replicator::ReplicatorOptions replicator_options(const LinkSpec& spec, replicator::ReplicatorOptions options) {
  // Kafka cannot be cut: a relay stops where the source lost what was relayed.
  if (spec.on_divergence == OnDivergence::kStop || spec.mode == LinkMode::kRelay)
    options.pump.on_divergence = replicator::OnMismatch::kStop;
  return options;
}

}  // namespace

LinkController::LinkController(Env& env, Connector& connector, SlabArena& arena, LinkStore& store,
                               std::unique_ptr<LinkTarget> target, StoredLink link, int64_t revision,
                               replicator::ReplicatorOptions options)
    : env_(env),
      link_(std::move(link)),
      revision_(revision),
      store_(store),
      target_(std::move(target)),
      source_(env, connector, "source", link_.spec.source, link_.spec.source_cluster_id.value()),
      source_mirrors_(source_.client()),
      source_data_(env, connector, data_cluster_options(link_.spec.source, link_.spec.source_cluster_id)),
      replicator_(env, arena, source_data_, target_->sink(), link_.id, replicator_options(link_.spec, options), *this),
      rounds_(env),
      stopping_(env),
      wake_discovery_(env),
      storing_(env),
      syncing_(env),
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
  source_data_.close();
  target_->close();
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
  if (!status) ++task.errors;
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
    } else if (!adopted_) {  // a paused link can be failed over, too
      ran(discovery_, co_await adopt(env_.in(kRoundLimit)));
    }
    wake_discovery_.reset();
    if (stopping_.is_set()) break;
    (void)co_await wake_discovery_.wait(env_.in(milliseconds(link_.spec.topic_sync_interval_ms)));
  }
}

Task<Result<StoredEntry>> LinkController::stored_if_ours(Deadline deadline) {
  const std::string key = link_key(link_.spec.name);
  CO_TRY(auto entries, co_await store_.list(key, deadline));
  for (StoredEntry& entry : entries) {
    if (entry.key != key) continue;
    CO_TRY(StoredLink stored, decode_stored_link(entry.value));
    if (stored.id != link_.id || stored.epoch != link_.epoch) break;
    co_return std::move(entry);
  }
  co_return Error(ErrorCode::kConflict, "another gateway has taken this link over");
}

Task<Status> LinkController::reread(Deadline deadline) {
  CO_TRY(StoredEntry entry, co_await stored_if_ours(deadline));
  CO_TRY(link_, decode_stored_link(entry.value));
  revision_ = entry.revision;
  co_return ok();
}

Task<Status> LinkController::update(Edit edit, Deadline deadline) {
  auto guard = co_await storing_.lock();
  const bool was_paused = link_.state == LinkState::kPaused;
  StoredLink changed;
  for (bool again = true;; again = false) {
    changed = link_;
    CO_CHECK(edit(changed));
    StoredEntry entry;
    entry.key = link_key(changed.spec.name);
    entry.value = encode(changed);
    entry.revision = revision_;
    auto revision = co_await store_.replace(std::move(entry), deadline);
    if (revision) {
      revision_ = *revision;
      break;
    }
    Error error = std::move(revision).error();
    if (error == ErrorCode::kConflict && again) {
      // Perhaps an earlier write of ours, whose answer never came: whoever takes a link over raises its epoch.
      auto read = co_await reread(deadline);
      if (read) continue;
      error = std::move(read).error();
    }
    if (error == ErrorCode::kConflict || error == ErrorCode::kFenced)
      set_link_state(LinkState::kFailed, "another gateway has taken this link over");
    co_return error;
  }
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
  entry.key = link_key(link_.spec.name);
  entry.revision = revision_;
  CO_CHECK(co_await store_.replace(std::move(entry), deadline));
  // What it had to remember goes too. If that fails, it is not ours any more to whoever reads it: the link is gone.
  auto rest = co_await store_.list(link_children_prefix(link_.spec.name), deadline);
  if (!rest) co_return ok();
  for (auto& left : *rest) {
    if (parse_link_key(left.key).kind == LinkKey::Kind::kRelayTopic) continue;  // still to be forgotten: garbage.h
    left.value.clear();
    (void)co_await store_.replace(std::move(left), deadline);
  }
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
    if (mirrors_[topic].pumps.empty()) mirrors_[topic].source_id = SourceTopicId();  // discovery tries again
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

void LinkController::add_pumps(Mirror& mirror, int32_t partitions) {
  for (int32_t p = static_cast<int32_t>(mirror.pumps.size()); p < partitions; ++p) {
    replicator::PartitionSpec spec;
    spec.source_topic = mirror.source_topic;
    spec.source_topic_id = mirror.source_id;
    spec.partition = p;
    spec.target.topic = mirror.topic;
    spec.target.topic_id = mirror.id;
    auto key = replicator_.add(std::move(spec));
    mirror.pumps.push_back(key);
    mirror_by_pump_[key] = mirror.topic;
  }
  const auto& paused = link_.paused_topics;
  const bool topic_paused = std::find(paused.begin(), paused.end(), mirror.topic) != paused.end();
  if (topic_paused || link_.state == LinkState::kPaused)
    for (const auto& key : mirror.pumps) replicator_.pause(key);
  if (topic_paused)
    set_state(mirror, MirrorState::kPaused, "paused by its operator");
  else
    set_state(mirror, MirrorState::kActive, "");
}

void LinkController::ended(Mirror& mirror, PromotionRecord record) {
  stop_pumps(mirror);
  set_state(mirror, MirrorState::kStopped, std::string(name(record.kind)));
  mirror.promotion = std::move(record);
}

TargetTopic LinkController::target_topic(const Mirror& mirror) const {
  TargetTopic topic;
  topic.topic = mirror.topic;
  topic.source_topic = mirror.source_topic;
  topic.id = mirror.id;
  topic.source_id = mirror.source_id;
  topic.partitions = static_cast<int32_t>(mirror.pumps.size());
  topic.promotion = mirror.promotion;
  return topic;
}

void LinkController::stop_pumps(Mirror& mirror) {
  for (const auto& key : mirror.pumps) {
    replicator_.remove(key);
    mirror_by_pump_.erase(key);
    forgotten_below_.erase(key);
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
  if (why != ErrorCode::kFenced || link_.spec.mode != LinkMode::kRelay) return partition_failed(key, why);
  fenced_[key] = why;
  if (!settling_fences_) settling_fences_ = spawn(gate_, "who fenced", settle_fences());
}

// The later fence wins at a Kafka target, also that of a gateway whose request lay in a socket while another one took
// over: it fences whom it should obey. Who is in control is written down; who is, takes the partitions back, and the
// other one finds out with its next look.
Task<void> LinkController::settle_fences() {
  while (!fenced_.empty() && !stopping_.is_set()) {
    auto fenced = std::exchange(fenced_, {});  // before it is asked: what is fenced later wants a later answer
    auto ours = co_await stored_if_ours(env_.in(kRoundLimit));
    const bool unknown = !ours && error_retriable(ours.error().code);
    if (!ours && !unknown)
      for (const auto& [key, why] : fenced) partition_failed(key, why);
    if (ours || unknown) (void)co_await stopping_.wait(env_.in(kFencedPause));  // for the other one to find out
    if (unknown) fenced_.merge(fenced);
    if (ours && !stopping_.is_set())
      for (const auto& [key, why] : fenced) take_back(key, why);
  }
  settling_fences_ = false;
}

void LinkController::take_back(const replicator::PumpKey& key, const Error& why) {
  const Mirror* mirror = mirror_of(key);
  const auto progress = replicator_.progress(key);
  if (!mirror || !pumps(mirror->state) || !progress || progress->pump.phase != replicator::PumpPhase::kFailed) return;
  env_.log().warn("a partition is taken back from a gateway that has lost control",
                  {{"partition", where(key)}, {"error", why}});
  replicator_.restart(key);
}

void LinkController::partition_failed(const replicator::PumpKey& key, const Error& why) {
  if (why == ErrorCode::kFenced) set_link_state(LinkState::kFailed, "another gateway has taken this link over");
  Mirror* mirror = mirror_of(key);
  if (mirror && pumps(mirror->state))
    set_state(*mirror, MirrorState::kFailed,
              "partition " + std::to_string(key.partition.value()) + ": " + why.to_string());
}

}  // namespace farshore::linker
