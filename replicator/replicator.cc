#include "replicator/replicator.h"

#include <algorithm>

#include "proto/kafka/client/partition_reader.h"
#include "replicator/source_place.h"

namespace farshore::replicator {

Replicator::Replicator(Env& env, SlabArena& arena, kafka::ClusterClient& source, BatchSink& sink, LinkId link,
                       ReplicatorOptions options, PumpListener& listener)
    : env_(env),
      arena_(arena),
      source_(source),
      sink_(sink),
      link_(link),
      options_(options),
      listener_(listener),
      budget_(env, "bytes in flight of the link", options.inflight_bytes_max),
      changes_(env),
      wake_(env),
      stopping_(env),
      gate_(env) {}

Replicator::~Replicator() = default;

Replicator::Entry* Replicator::find(const LinkPartition& key) {
  auto it = entries_.find(key);
  return it == entries_.end() ? nullptr : &it->second;
}

Replicator::Entry* Replicator::find(const LinkPartition& key, uint64_t serial) {
  Entry* entry = find(key);
  return entry && entry->serial == serial ? entry : nullptr;
}

LinkPartition Replicator::add(PartitionSpec spec) {
  LinkPartition key{link_, spec.source_topic_id, PartitionId(spec.partition)};
  if (find(key)) return key;
  ensure(!key.source_topic.is_zero(), "a topic of a source without ids is given one by who adds it");
  Entry& entry = entries_[key];
  entry.spec = std::move(spec);
  entry.serial = ++added_;
  entry.pump = std::make_unique<PartitionPump>(key, options_.pump, static_cast<PumpDriver&>(*this), listener_);
  sink_.attach(*entry.pump, entry.spec.target);
  unplaced_.insert(key);
  pump_needs_control(*entry.pump);
  wake_.notify();
  return key;
}

void Replicator::remove(const LinkPartition& key) {
  Entry* entry = find(key);
  if (!entry) return;
  leave_fetcher(key, *entry);
  sink_.detach(key);
  const PumpProgress last = entry->pump->progress(env_.now());
  counters_.bytes += last.bytes;
  counters_.batches += last.batches;
  unplaced_.erase(key);
  entries_.erase(key);
  changes_.notify();
}

void Replicator::pause(const LinkPartition& key) {
  if (Entry* entry = find(key)) entry->pump->pause();
}
void Replicator::resume(const LinkPartition& key) {
  if (Entry* entry = find(key)) entry->pump->resume();
}
void Replicator::restart(const LinkPartition& key) {
  Entry* entry = find(key);
  if (!entry) return;
  entry->missing_looks = 0;
  entry->pump->restart();
  fetcher_lost_partition(key);
}

void Replicator::leave_fetcher(const LinkPartition& key, Entry& entry) {
  if (!entry.fetcher) return;
  entry.heard = std::max(entry.heard, entry.fetcher->known_as_of(key));
  entry.fetcher->remove(key);
  entry.fetcher = nullptr;
}

void Replicator::reconnect_to_source() {
  for (auto& entry : fetchers_) entry.second->reconnect();
  for (const auto& entry : entries_) unplaced_.insert(entry.first);
  wake_.notify();
}

void Replicator::pump_can_send(PartitionPump& pump) { sink_.ready(pump); }

void Replicator::pump_fetch_changed(PartitionPump& pump) {
  Entry* entry = find(pump.key());
  if (entry && entry->fetcher) entry->fetcher->changed(pump.key());
  changes_.notify();
}

void Replicator::pump_needs_control(PartitionPump& pump) {
  Entry* entry = find(pump.key());
  if (!entry || entry->controlling) return;
  entry->controlling = spawn(gate_, "control requests of a pump", carry_out_requests(pump.key(), entry->serial));
}

void Replicator::pump_problem(PartitionPump& pump, PumpProblem trouble, const Error& error) {
  switch (trouble) {
    case PumpProblem::kAppend:
      ++counters_.append_errors[error.code];
      if (Entry* entry = find(pump.key())) {
        entry->append_error = error;
        const auto& to = entry->spec;
        env_.log().warn("target refuses records",
                        {{"topic", to.target.topic}, {"partition", to.partition}, {"error", error}});
      }
      break;
    case PumpProblem::kControlRequest:
      ++counters_.control_errors[error.code];
      break;
    case PumpProblem::kCorrupt:
      ++counters_.corrupt;
      break;
    case PumpProblem::kDiverged:
      ++counters_.divergences;
      break;
    case PumpProblem::kGap:
      ++counters_.gaps;
      break;
  }
}

void Replicator::fetcher_lost_partition(const LinkPartition& key) {
  if (find(key) && unplaced_.insert(key).second) wake_.notify();
}

Task<void> Replicator::carry_out_requests(LinkPartition key, uint64_t serial) {
  int failures = 0;
  for (;;) {
    Entry* entry = find(key, serial);
    if (!entry || stopping_.is_set()) co_return;
    ControlRequest control_request = entry->pump->control_request();
    if (control_request.kind == ControlRequest::Kind::kNone) {
      entry->controlling = false;
      co_return;
    }
    int tries = std::max(failures, entry->pump->failed_appends() - 1);
    if (tries > 0) {
      Duration pause = options_.control_backoff_min;
      for (int i = 1; i < tries && pause < options_.control_backoff_max; ++i) pause *= 2;
      pause = std::min(pause, options_.control_backoff_max);
      (void)co_await stopping_.wait(env_.in(Duration(env_.random().between(pause.count() / 2, pause.count()))));
      entry = find(key, serial);
      if (!entry || stopping_.is_set()) co_return;
      control_request = entry->pump->control_request();
      if (control_request.kind == ControlRequest::Kind::kNone) continue;
    }
    const uint32_t generation = entry->pump->generation();
    auto granted = co_await grant(key, serial, control_request);
    entry = find(key, serial);
    if (!entry) co_return;
    if (granted) {
      failures = 0;
      entry->target_error = {};
      continue;
    }
    ++failures;
    if (entry->target_error.code != granted.error().code)
      env_.log().warn(
          "target refuses a partition",
          {{"topic", entry->spec.target.topic}, {"partition", entry->spec.partition}, {"error", granted.error()}});
    entry->target_error = granted.error();
    entry->pump->on_control_failed(generation, granted.error());
    changes_.notify();
  }
}

Task<Status> Replicator::grant(LinkPartition key, uint64_t serial, ControlRequest control_request) {
  Entry* entry = find(key, serial);
  const uint32_t generation = entry->pump->generation();
  const PumpSession session = entry->pump->session();
  TargetState state;
  LostRange lost;
  if (control_request.kind == ControlRequest::Kind::kOpen) {
    CO_TRY(state, co_await sink_.open(key));
  } else if (control_request.kind == ControlRequest::Kind::kTruncate) {
    CO_TRY(Truncated truncated, co_await sink_.truncate(key, session, control_request.offset, control_request.epoch));
    state = truncated.state;
    lost = truncated.lost;
  } else {
    CO_TRY(state, co_await sink_.advance_log_start(key, session, control_request.offset));
  }
  entry = find(key, serial);
  if (entry) entry->pump->on_target(generation, state, lost);
  co_return ok();
}

Fetcher& Replicator::fetcher_for(int32_t broker, const LinkPartition& key) {
  const int32_t lane = key.partition.value() % std::max(options_.lanes_per_broker, 1);
  auto& fetcher = fetchers_[{broker, lane}];
  if (!fetcher) {
    fetcher = std::make_unique<Fetcher>(env_, source_, broker, arena_, budget_, options_.fetcher,
                                        static_cast<FetcherOwner&>(*this));
    spawn(gate_, "fetcher", fetcher->run());
  }
  return *fetcher;
}

void Replicator::place(const LinkPartition& key, Entry& entry, const kafka::ClusterView& view) {
  using Kind = SourcePlace::Kind;
  SourcePlace found = find_source(view, key, entry.spec.source_topic);
  if (found.kind == Kind::kUnknown) return;
  entry.source_error = std::move(found.error);
  if (found.kind == Kind::kRefused) return;
  if (found.kind == Kind::kMissing) {
    if (entry.missing_looks++ == 0) entry.missing_since = env_.now();
    unplaced_.insert(key);  // looked at again soon
    const bool long_enough = env_.now() - entry.missing_since >= options_.missing_for;
    if (entry.missing_looks < options_.missing_looks_max || !long_enough) return;
    unplaced_.erase(key);
    entry.pump->on_topic_gone(entry.source_error);
    return;
  }
  entry.missing_looks = 0;
  if (found.kind == Kind::kRecreated) {
    unplaced_.erase(key);
    leave_fetcher(key, entry);
    entry.pump->on_topic_gone(entry.source_error);
    return;
  }
  if (found.kind == Kind::kLeaderless) {
    unplaced_.insert(key);
    return;
  }
  unplaced_.erase(key);
  Fetcher& fetcher = fetcher_for(found.broker, key);
  if (entry.fetcher == &fetcher && entry.leader_epoch == found.leader_epoch) return;
  leave_fetcher(key, entry);
  entry.fetcher = &fetcher;
  entry.leader_epoch = found.leader_epoch;
  fetcher.add(*entry.pump, entry.spec.source_topic, found.leader_epoch);
}

std::vector<std::string> Replicator::source_topics(bool all) const {
  std::set<std::string> names;
  if (all) {
    for (const auto& entry : entries_) names.insert(entry.second.spec.source_topic);
  } else {
    for (const auto& key : unplaced_) names.insert(entries_.at(key).spec.source_topic);
  }
  return {names.begin(), names.end()};
}

Task<Status> Replicator::look_at_source(bool all) {
  std::vector<std::string> asked = source_topics(all);
  if (asked.empty()) co_return ok();
  auto view = co_await source_.refresh(std::move(asked), env_.in(seconds(10)));
  look_error_ = view ? Error() : view.error();
  if (!view) {
    for (auto& [key, entry] : entries_) entry.source_error = view.error();
    co_return std::move(view).error();
  }
  std::vector<LinkPartition> looked_at(unplaced_.begin(), unplaced_.end());
  if (all) {
    looked_at.clear();
    for (const auto& entry : entries_) looked_at.push_back(entry.first);
  }
  for (const auto& key : looked_at) {
    Entry& entry = entries_.at(key);
    if (entry.pump->phase() == PumpPhase::kFailed)
      unplaced_.erase(key);
    else
      place(key, entry, **view);
  }
  changes_.notify();
  co_return ok();
}

// All topics are looked at every metadata_interval; in between, only those with a partition that has no fetcher.
Task<void> Replicator::run() {
  MonoTime all_looked_at;
  bool all = true;
  Duration pause = options_.metadata_retry;
  while (!stopping_.is_set()) {
    const MonoTime now = env_.now();
    all = all || now - all_looked_at >= options_.metadata_interval;
    auto looked = co_await look_at_source(all);
    if (stopping_.is_set()) break;
    if (looked && all) all_looked_at = now;
    all = !looked;
    if (!looked) env_.log().warn("source metadata", {{"link", link_}, {"error", looked.error()}});
    if (looked && unplaced_.empty()) {
      pause = options_.metadata_retry;
      const Deadline next(all_looked_at + options_.metadata_interval);
      (void)co_await wake_.wait(next);
      continue;
    }
    // What cannot be placed is asked for less and less often, until another partition loses its place.
    auto woken = co_await wake_.wait(env_.in(pause));
    pause = woken ? options_.metadata_retry : std::min(pause * 2, options_.metadata_retry_max);
  }
}

Task<void> Replicator::stop() {
  stopping_.set();
  wake_.close();
  changes_.notify();
  for (auto& [id, fetcher] : fetchers_) fetcher->stop();
  co_await sink_.stop();
  co_await gate_.close();
}

Task<Result<bool>> Replicator::source_still_has(LinkPartition key, Deadline deadline) {
  Entry* entry = find(key);
  if (!entry || entry->pump->phase() != PumpPhase::kRunning) co_return false;
  const uint64_t serial = entry->serial;
  const uint32_t generation = entry->pump->generation();
  const PumpProgress sent = entry->pump->progress(env_.now());
  if (sent.sent_epoch.value() < 0) co_return true;  // nothing that could be wrong
  TopicPartition where{entry->spec.source_topic, entry->spec.partition};
  auto found = co_await kafka::partition_epoch_end(source_, std::move(where), sent.sent_epoch, deadline);
  if (!found && found.error() == ErrorCode::kUnsupported) co_return true;
  if (!found) co_return std::move(found).error();
  entry = find(key, serial);
  if (!entry || entry->pump->generation() != generation) co_return false;
  // As Kafka's followers decide (KIP-595).
  co_return found->epoch >= sent.sent_epoch && found->end.value() >= sent.sent_end.value();
}

ReplicatorCounters Replicator::counters() const {
  ReplicatorCounters counters = counters_;
  for (const auto& [key, entry] : entries_) {
    const PumpProgress now = entry.pump->progress(env_.now());
    counters.bytes += now.bytes;
    counters.batches += now.batches;
  }
  return counters;
}

uint64_t Replicator::bytes_received() const {
  uint64_t bytes = counters_.bytes;
  for (const auto& entry : entries_) bytes += entry.second.pump->bytes_received();
  return bytes;
}

std::optional<MonoTime> Replicator::last_contact() const {
  std::optional<MonoTime> last;
  for (const auto& entry : fetchers_)
    if (entry.second->contacted()) last = std::max(last.value_or(MonoTime()), entry.second->last_contact());
  return last;
}

Error Replicator::source_error() const {
  if (look_error_.code != ErrorCode::kNone) return look_error_;
  for (const auto& entry : fetchers_)
    if (!entry.second->empty() && entry.second->connection_error().code != ErrorCode::kNone)
      return entry.second->connection_error();
  return {};
}

ReplicatorLoad Replicator::load() const {
  ReplicatorLoad load;
  load.appends_in_flight = sink_.appends_in_flight();
  load.held_bytes = budget_.used_bytes();
  load.held_bytes_max = budget_.bytes_max();
  return load;
}

PartitionProgress Replicator::progress_of(const LinkPartition& key, const Entry& entry) const {
  PartitionProgress progress;
  progress.key = key;
  progress.source_topic = entry.spec.source_topic;
  progress.target_topic = entry.spec.target.topic;
  progress.pump = entry.pump->progress(env_.now());
  progress.source_error = entry.source_error;
  progress.target_error = entry.target_error;
  if (progress.target_error.code == ErrorCode::kNone && entry.pump->failed_appends() > 0)
    progress.target_error = entry.append_error;
  progress.known_as_of = entry.heard;
  if (entry.fetcher) {
    progress.source_broker = entry.fetcher->broker();
    progress.known_as_of = std::max(entry.heard, entry.fetcher->known_as_of(key));
    if (progress.source_error.code == ErrorCode::kNone) progress.source_error = entry.fetcher->last_error(key);
  }
  return progress;
}

std::vector<PartitionProgress> Replicator::progress() const {
  std::vector<PartitionProgress> all;
  all.reserve(entries_.size());
  for (const auto& [key, entry] : entries_) all.push_back(progress_of(key, entry));
  return all;
}

std::optional<PartitionProgress> Replicator::progress(const LinkPartition& key) const {
  auto it = entries_.find(key);
  if (it == entries_.end()) return std::nullopt;
  return progress_of(key, it->second);
}

}  // namespace farshore::replicator
