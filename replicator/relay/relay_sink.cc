#include "replicator/relay/relay_sink.h"

#include "replicator/relay/relay_sink_impl.h"
#include "replicator/relay/takeover.h"

namespace farshore::replicator {

RelayLane& RelaySink::Impl::lane_of(int32_t broker) {
  auto& lane = lanes[broker];
  if (!lane) {
    lane = std::make_shared<RelayLane>(env, broker);
    spawn(gate, "relay sink lane", run_lane(lane));
  }
  return *lane;
}

bool RelaySink::Impl::stood_still() {
  const bool long_ago = env.now() - ticked > options.pause_max;
  // A machine that was suspended may not count it in its monotonic clock.
  const int64_t wall_ms = env.wall_now().milliseconds_since_epoch - ticked_wall.milliseconds_since_epoch;
  return long_ago || milliseconds(wall_ms) > options.pause_max;
}

void RelaySink::Impl::retake_all() {
  ticked = env.now();
  ticked_wall = env.wall_now();
  Error error(ErrorCode::kUnavailable, "this process stood still for too long: the partition is taken over anew");
  std::vector<std::pair<PumpKey, uint64_t>> all;
  for (auto& [key, entry] : entries) {
    if (entry.open) all.emplace_back(key, entry.attempt);
  }
  for (const auto& [key, attempt] : all) fail(key, attempt, error);
}

Task<void> RelaySink::Impl::tick() {
  while (!stopping.is_set()) {
    if (stood_still()) retake_all();
    ticked = env.now();
    ticked_wall = env.wall_now();
    (void)co_await stopping.wait(env.in(options.pause_max / 4));
  }
}

RelaySink::RelaySink(Env& env, kafka::ClusterClient& target, LinkId link, RelayJournal& journal,
                     RelaySinkOptions options)
    : impl_(std::make_unique<Impl>(env, target, link, journal, options)) {}

RelaySink::~RelaySink() = default;

void RelaySink::attach(PartitionPump& pump, SinkTarget target) {
  RelayEntry& entry = impl_->entries[pump.key()];
  entry = {};
  entry.pump = &pump;
  entry.target = std::move(target);
  entry.attempt = ++impl_->attempts;
}

void RelaySink::detach(const PumpKey& key) { impl_->entries.erase(key); }

void RelaySink::ready(PartitionPump& pump) {
  auto it = impl_->entries.find(pump.key());
  if (it != impl_->entries.end()) impl_->queue(it->first, it->second);
}

Task<Result<TargetState>> RelaySink::open(PumpKey key) {
  Impl& impl = *impl_;
  auto it = impl.entries.find(key);
  if (it == impl.entries.end()) co_return Error(ErrorCode::kClosed, "the partition is relayed no more");
  const uint64_t attempt = it->second.attempt = ++impl.attempts;
  it->second.close();
  if (!impl.ticking) {
    impl.ticking = true;
    impl.ticked = impl.env.now();
    impl.ticked_wall = impl.env.wall_now();
    spawn(impl.gate, "relay tick", impl.tick());
  }
  auto wanted = [&impl, key, attempt] { return impl.find(key, attempt) && !impl.stopping.is_set(); };
  // An anchor of the former owner must not come after what the new one reads.
  const Deadline patience = impl.env.in(impl.options.takeover_limit);
  while (impl.anchoring.count(key) || impl.takeovers >= impl.options.takeovers_at_once_max) {
    CO_CHECK(co_await impl.changed.wait(patience));
    if (!wanted()) co_return Error(ErrorCode::kClosed, "the partition is relayed no more");
  }
  RelayTakeoverOf what;
  what.key = key;
  what.target = impl.find(key, attempt)->target;
  what.transactional_id = relay_transactional_id(key);
  what.wanted = wanted;
  ++impl.takeovers;
  auto taken = co_await take_over(impl.env, impl.cluster, impl.journal, impl.options, std::move(what));
  --impl.takeovers;
  impl.changed.notify();
  if (!taken) {
    Error error = std::move(taken).error();
    // Made or grown a moment ago, and this broker has not heard of it. What is gone the owner finds by the topic's id.
    if (error == ErrorCode::kNotFound) error.code = ErrorCode::kUnavailable;
    co_return error;
  }
  RelayEntry* entry = impl.find(key, attempt);
  if (!entry || impl.stopping.is_set()) co_return Error(ErrorCode::kClosed, "the partition is relayed no more");
  entry->close();
  entry->open = true;
  entry->queued = false;
  entry->lane = &impl.lane_of(taken->broker);
  entry->topic_id = taken->topic_id;
  entry->producer = taken->producer;
  entry->target_epoch = taken->epoch;
  entry->anchored = false;
  entry->next_sequence = 0;
  entry->next_source = entry->acked_end = entry->told_end = taken->resume.source;
  entry->acked_epoch = taken->resume.source_epoch;
  entry->target_end = taken->target_end;
  for (const TranslationRun& run : taken->resume.found) impl.journal.relayed(key, run);
  TargetState state;
  state.end = state.high_watermark = entry->acked_end;
  state.last_epoch = entry->acked_epoch;
  state.session = PumpSession(static_cast<int64_t>(attempt));
  co_return state;
}

Task<Result<Truncated>> RelaySink::truncate(PumpKey key, PumpSession, SourceOffset end, LogEpoch) {
  co_return Error(ErrorCode::kUnsupported, "the source goes on from offset " + std::to_string(end.value()) +
                                               " of partition " + std::to_string(key.partition.value()) +
                                               " with other records, and a Kafka target cannot be truncated");
}

Task<Result<TargetState>> RelaySink::advance_log_start(PumpKey key, PumpSession session, SourceOffset to) {
  Impl& impl = *impl_;
  const auto attempt = static_cast<uint64_t>(session.value());
  const Deadline patience = impl.env.in(impl.options.timeout);
  const Error ended(ErrorCode::kConflict, "the session ended");
  RelayEntry* entry = impl.find(key, attempt);
  // What is under way is answered first: where the target ends is known then.
  while (entry && entry->open && (!entry->flights.empty() || impl.anchoring.count(key))) {
    const Deadline look = std::min(patience, impl.env.in(milliseconds(20)));
    (void)co_await impl.stopping.wait(look);
    if (impl.stopping.is_set() || patience.passed(impl.env.now())) co_return ended;
    entry = impl.find(key, attempt);
  }
  if (!entry || !entry->open) co_return ended;
  entry->held.reset();
  if (entry->told_end == entry->acked_end) {
    entry->next_source = entry->acked_end = to;
    entry->anchored = false;
  }
  entry->told_end = entry->acked_end;
  if (entry->next_source != entry->acked_end) {  // what was taken and not sent is fetched, or missed, again
    entry->next_source = entry->acked_end;
    entry->anchored = false;
  }
  TargetState state;
  state.end = state.high_watermark = entry->acked_end;
  state.last_epoch = entry->acked_epoch;
  state.session = session;
  co_return state;
}

size_t RelaySink::appends_in_flight() const {
  size_t count = 0;
  for (const auto& [broker, lane] : impl_->lanes) count += static_cast<size_t>(lane->in_flight);
  return count;
}

Duration RelaySink::round_trip() const { return impl_->round_trip; }

Task<void> RelaySink::stop() {
  Impl& impl = *impl_;
  impl.stopping.set();
  for (auto& [broker, lane] : impl.lanes) {
    if (lane->client) lane->client->close();
    lane->wake.close();
  }
  impl.changed.close();
  co_await impl.gate.close();
}

}  // namespace farshore::replicator
