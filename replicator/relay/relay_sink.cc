#include "replicator/relay/relay_sink.h"

#include <algorithm>
#include <utility>

#include "replicator/relay/batch.h"
#include "replicator/relay/produce_answers.h"
#include "replicator/relay/takeover.h"

namespace farshore::replicator {

namespace {

constexpr int16_t kProduceByName = 12;  // the last version that names topics

std::string name_of(const SinkTarget& target, const LinkPartition& key) {
  return target.topic + "-" + std::to_string(key.partition.value());
}

Error was_paused() {
  return {ErrorCode::kUnavailable, "the gateway process was paused for too long: the partition is taken over again"};
}

Error relayed_no_more() { return Error(ErrorCode::kClosed, "the partition was removed from the link"); }

}  // namespace

RelaySink::RelaySink(Env& env, kafka::ClusterClient& target, RelayJournal& journal, RelaySinkOptions options)
    : env_(env),
      cluster_(target),
      journal_(journal),
      options_(options),
      clock_(env, options.pause_max),
      slots_(env, options.takeovers_at_once_max),
      scans_(env, options.scans_at_once_max),
      changed_(env),
      stopping_(env),
      lanes_(env, target, SinkLaneOptions{"relay sink lane", options.timeout, options.idle_max},
             static_cast<SinkLaneOwner&>(*this)),
      gate_(env),
      shards_(env, target, options_, gate_),
      questions_(env, target, gate_),
      tools_{env, target, journal, shards_, questions_, scans_, options_},
      former_(tools_, slots_),
      ownership_(env, target, options_, shards_, static_cast<RelayOwnership::Partitions&>(*this), gate_),
      scan_bound_(
          env, questions_, journal, options_, partitions_, gate_,
          [this](const LinkPartition& key, uint64_t attempt, const Error& error) { fail(key, attempt, error); }) {}

// --- partitions

RelayPartition* RelaySink::find(const LinkPartition& key) {
  auto it = partitions_.find(key);
  return it == partitions_.end() ? nullptr : &it->second;
}

RelayPartition* RelaySink::find(const LinkPartition& key, uint64_t attempt) {
  RelayPartition* partition = find(key);
  return partition && partition->attempt() == attempt ? partition : nullptr;
}

void RelaySink::attach(PartitionPump& pump, SinkTarget target) {
  partitions_.insert_or_assign(pump.key(), RelayPartition(pump, std::move(target), ++attempts_));
}

void RelaySink::detach(const LinkPartition& key) { partitions_.erase(key); }

void RelaySink::ready(PartitionPump& pump) {
  if (RelayPartition* partition = find(pump.key())) queue(pump.key(), *partition);
}

void RelaySink::queue(const LinkPartition& key, RelayPartition& partition) {
  if (!partition.open() || partition.queued) return;
  partition.queued = true;
  partition.lane()->queue(key);
}

void RelaySink::fail(const LinkPartition& key, uint64_t attempt, const Error& why) {
  RelayPartition* partition = find(key, attempt);
  if (!partition || !partition->open()) return;
  // What fences a partition of an older session may be a newer one of this gateway.
  const Status session = shards_.check(key, partition->owned().session);
  const Error error = why == ErrorCode::kFenced && !session ? session.error() : why;
  partition->close();
  if (error == ErrorCode::kFenced) journal_.lost(key, error);
  partition->pump().on_append_failed(partition->pump().generation(), error, std::nullopt);
}

// --- after a suspension of the process

Task<void> RelaySink::watch_for_stalls() {
  while (!stopping_.is_set()) {
    if (clock_.stalled()) retake_all();
    clock_.tick();
    (void)co_await stopping_.wait(env_.in(options_.pause_max / 4));
  }
}

void RelaySink::retake_all() {
  clock_.tick();
  std::vector<std::pair<LinkPartition, uint64_t>> all;
  for (auto& [key, partition] : partitions_) {
    if (partition.open()) all.emplace_back(key, partition.attempt());
  }
  for (const auto& [key, attempt] : all) fail(key, attempt, was_paused());
}

// --- the ownership

std::vector<OwnedPartition> RelaySink::owned() {
  std::vector<OwnedPartition> owned;
  for (const auto& [key, partition] : partitions_) {
    if (partition.open()) owned.push_back(partition.owned());
  }
  return owned;
}

void RelaySink::still_owned(const OwnedPartition& owned, MonoTime asked) {
  RelayPartition* partition = find(owned.key, owned.attempt);
  if (!partition || !partition->open()) return;
  const bool waits = !may_send(*partition);
  partition->owned_until(asked + options_.ownership_max);
  journal_.owned_until(owned.key, asked + options_.ownership_max);
  if (auto why = journal_.wants_takeover(owned.key)) return fail(owned.key, owned.attempt, *why);
  if (waits) queue(owned.key, *partition);
}

// --- control

// An anchor of the former attempt must not come after what the new one reads.
Task<Status> RelaySink::wait_for_anchor(LinkPartition key) {
  const Deadline patience = env_.in(options_.takeover_limit);
  while (anchoring_.count(key)) CO_CHECK(co_await changed_.wait(patience));
  co_return ok();
}

Task<Result<TargetState>> RelaySink::open(LinkPartition key) {
  RelayPartition* partition = find(key);
  if (!partition) co_return relayed_no_more();
  const uint64_t attempt = ++attempts_;
  partition->begin_takeover(attempt);
  if (!watching_) {
    watching_ = true;
    clock_.tick();
    spawn(gate_, "relay stall watch", watch_for_stalls());
    if (!options_.test_only_skip_ownership) ownership_.start();
    scan_bound_.start();
  }
  TakeoverSlots::Slot slot(slots_);
  CO_CHECK(co_await wait_for_anchor(key));
  CO_CHECK(co_await slot.enter(env_.in(options_.takeover_limit)));
  if (!wanted(key, attempt)) co_return relayed_no_more();
  SinkTarget target = find(key, attempt)->target();
  RelayTakeover takeover(tools_, slot, key, std::move(target), [this, key, attempt] { return wanted(key, attempt); });
  if (auto word = words_.find(key); word != words_.end()) takeover.go_on_at(word->second);
  auto taken = co_await takeover.run();
  slot.leave();
  if (!taken) {
    Error error = std::move(taken).error();
    if (error == ErrorCode::kFenced && wanted(key, attempt)) journal_.lost(key, error);
    // Made or grown a moment ago, and this broker has not heard of it. What is gone the owner finds by the topic's id.
    if (error == ErrorCode::kNotFound) error.code = ErrorCode::kUnavailable;
    co_return error;
  }
  partition = find(key, attempt);
  if (!partition || stopping_.is_set()) co_return relayed_no_more();
  if (Status going_on = shards_.check(key, taken->session); !going_on) co_return going_on.error();
  partition->end_takeover(*taken, taken->owned_at + options_.ownership_max, lanes_.to(taken->broker));
  // A new session fences what an older one of this gateway still has.
  if (std::exchange(newest_session_, std::max(newest_session_, taken->session)) < taken->session) ownership_.wake();
  if (taken->gave_up) words_.erase(key);
  co_return partition->state();
}

Task<Result<Truncated>> RelaySink::truncate(LinkPartition key, PumpSession, SourceOffset end, LogEpoch) {
  co_return Error(ErrorCode::kUnsupported, "the source lost relayed records from offset " +
                                               std::to_string(end.value()) + " of partition " +
                                               std::to_string(key.partition.value()) +
                                               " on, and a Kafka target cannot be truncated: fail the topic over, or "
                                               "delete it at the target and resume it");
}

Task<Result<TargetState>> RelaySink::advance_log_start(LinkPartition key, PumpSession session, SourceOffset to) {
  const auto attempt = static_cast<uint64_t>(session.value());
  const Deadline patience = env_.in(options_.timeout);
  const Error ended(ErrorCode::kConflict, "the session ended");
  RelayPartition* partition = find(key, attempt);
  // What is under way is answered first: where the target ends is known then.
  while (partition && partition->open() && (!partition->idle() || anchoring_.count(key))) {
    const Deadline look = std::min(patience, env_.in(milliseconds(20)));
    (void)co_await stopping_.wait(look);
    if (stopping_.is_set() || patience.passed(env_.now())) co_return ended;
    partition = find(key, attempt);
  }
  if (!partition || !partition->open()) co_return ended;
  partition->advance(to);
  co_return partition->state();
}

Task<void> RelaySink::stop() {
  stopping_.set();
  changed_.close();
  slots_.close();
  scans_.close();
  ownership_.stop();
  scan_bound_.stop();
  co_await lanes_.stop();
  co_await gate_.close();
}

// --- sending

bool RelaySink::lane_may_send(const SinkLane& lane) {
  return !lane.queued().empty() && lane.in_flight() < options_.requests_in_flight_max;
}

void RelaySink::lane_send(SinkLane& lane) {
  if (clock_.stalled()) return retake_all();
  Produce request;
  request.acks = -1;
  request.timeout_ms = static_cast<int32_t>(std::chrono::duration_cast<milliseconds>(options_.timeout).count());
  std::vector<Sent> sent;
  size_t bytes = 0;
  // Sorted, so that each topic is named once.
  std::deque<LinkPartition> keys = lane.take_queue();
  std::sort(keys.begin(), keys.end());
  for (const LinkPartition& key : keys) {
    RelayPartition* partition = find(key);
    if (!partition || partition->lane() != &lane) continue;
    partition->queued = false;
    if (!partition->open() || !may_send(*partition)) continue;
    if (bytes >= options_.request_bytes_max) {
      queue(key, *partition);
      continue;
    }
    if (!next(key, *partition)) continue;
    bytes += add(key, *partition, request, sent);
    if (partition->pump().can_send() && partition->flights() < options_.batches_in_flight_max) queue(key, *partition);
  }
  if (sent.empty()) return;
  const bool by_id = std::all_of(sent.begin(), sent.end(), [](const Sent& each) { return !each.topic_id.is_zero(); });
  auto on_answer = [this, by_id, sent = std::move(sent)](Result<kafka::ProduceResponse> response) {
    answered(sent, by_id, response);
  };
  lane.send(std::move(request), std::move(on_answer), by_id ? kafka::Client::kNewest : kProduceByName);
}

// The partition's next batch may leave now. What it waits for queues the partition again.
bool RelaySink::next(const LinkPartition& key, RelayPartition& partition) {
  auto taken = partition.take_next(options_, arena_);
  if (!taken) {  // each batch by itself, then
    fail(key, partition.attempt(), Error(ErrorCode::kUnavailable, taken.error().to_string()));
    return false;
  }
  const BatchHeader* batch = *taken;
  if (!batch) return false;
  const bool empty = carries_no_record(*batch);
  if (Status raw = can_relay_raw(*batch); !empty && !raw) {
    if (partition.idle()) fail(key, partition.attempt(), raw.error());
    return false;
  }
  if (empty || partition.needs_anchor(options_.anchor_records_max)) {
    // Only when everything before it was acknowledged: that makes the anchor evidence (evidence.h).
    if (!partition.idle() || !anchoring_.insert(key).second) return false;
    const RelayAnchor made = empty ? partition.anchor_behind_next() : partition.anchor_for_next();
    if (!spawn(gate_, "relay anchor", write_anchor(key, partition.attempt(), made))) anchoring_.erase(key);
    return false;
  }
  return partition.flights() < options_.batches_in_flight_max;
}

Task<void> RelaySink::write_anchor(LinkPartition key, uint64_t attempt, RelayAnchor made) {
  auto written = co_await journal_.write_anchor(key, made, env_.in(options_.timeout));
  anchoring_.erase(key);
  changed_.notify();
  RelayPartition* partition = find(key, attempt);
  if (!partition || !partition->open() || stopping_.is_set()) co_return;
  if (!written) {
    fail(key, attempt, written.error().in("anchor of " + name_of(partition->target(), key)));
    co_return;
  }
  partition->use_anchor(made);
  if (auto passed = partition->pass_over()) {
    partition->pump().on_appended(passed->generation, passed->ack);
    partition = find(key, attempt);
  }
  if (partition) queue(key, *partition);
}

// Moves the held batch of the partition into the request; returns its size in bytes.
size_t RelaySink::add(const LinkPartition& key, RelayPartition& partition, Produce& request, std::vector<Sent>& sent) {
  const uint64_t flight = ++flights_;
  SliceList bytes = partition.stamp(flight);
  const size_t size = bytes.size();
  const std::string& name = partition.target().topic;
  add_to_produce(request, name, partition.topic_id(), key.partition.value(), std::move(bytes));
  sent.push_back({key, partition.attempt(), flight, name, partition.topic_id()});
  return size;
}

// --- lanes

// Nothing was sent, but the partition cannot continue: it opens again, with backoff.
void RelaySink::lane_unreachable(SinkLane& lane, const LinkPartition& key, const Error& error) {
  RelayPartition* partition = find(key);
  if (!partition || partition->lane() != &lane) return;
  partition->queued = false;
  fail(key, partition->attempt(), error);
}

// A leader that was elected or restarted meanwhile may hold less than it acknowledged: takeovers look.
Task<Status> RelaySink::lane_reopens(SinkLane& lane) {
  std::set<std::string> names;
  for (const auto& [key, partition] : partitions_) {
    if (partition.open() && partition.lane() == &lane) names.insert(partition.target().topic);
  }
  std::vector<std::string> topics(names.begin(), names.end());
  CO_TRY(auto view, co_await cluster_.refresh(std::move(topics), env_.in(options_.timeout)));
  std::vector<std::pair<LinkPartition, uint64_t>> moved;
  for (const auto& [key, partition] : partitions_) {
    if (!partition.open() || partition.lane() != &lane) continue;
    const auto* found = view->partition(partition.target().topic, key.partition.value());
    if (!found || found->leader != lane.broker() || LeadershipEpoch(found->leader_epoch) != partition.target_epoch())
      moved.emplace_back(key, partition.attempt());
  }
  const Error elected(ErrorCode::kUnavailable, "the target partition has another leader epoch than before");
  for (const auto& [key, attempt] : moved) fail(key, attempt, elected);
  co_return ok();
}

Status RelaySink::lane_may_still_send() { return clock_.stalled() ? Status(was_paused()) : ok(); }

// --- answers

void RelaySink::answered(const std::vector<Sent>& sent, bool by_id, const Result<kafka::ProduceResponse>& response) {
  if (!response) {
    for (const Sent& each : sent) {
      if (const RelayPartition* partition = find(each.key, each.attempt))
        fail(each.key, each.attempt, response.error().in("produce to " + name_of(partition->target(), each.key)));
    }
    return;
  }
  const ProduceAnswers answers(*response);
  for (const Sent& each : sent)
    deliver(each, answers.find(each.topic, by_id ? each.topic_id : TopicId(), each.key.partition.value()));
}

void RelaySink::deliver(const Sent& sent, const Answer* answer) {
  RelayPartition* partition = find(sent.key, sent.attempt);
  if (!partition || !partition->open()) return;
  RelayPartition::Flight* flight = partition->flight(sent.flight);
  if (!flight) return;
  if (!answer) {
    Error missing(ErrorCode::kUnavailable, "the target's answer leaves the partition out");
    return fail(sent.key, sent.attempt, missing);
  }
  if (answer->error_code != 0) {
    using Code = kafka::ErrorCode;
    const TopicPartition at{partition->target().topic, sent.key.partition.value()};
    if (kafka::error_retriable(static_cast<Code>(answer->error_code))) cluster_.forget_leader(at);
    const Error error = partition->refused(*flight, answer->error_code, answer->error_message, options_);
    return fail(sent.key, sent.attempt, error);
  }
  if (answer->base_offset < partition->target_end().value()) {
    Error strange(ErrorCode::kUnavailable, "the target appended at offset " + std::to_string(answer->base_offset) +
                                               ", below " + std::to_string(partition->target_end().value()));
    return fail(sent.key, sent.attempt, strange);
  }
  flight->base = TargetOffset(answer->base_offset);
  acknowledge(sent.key, sent.attempt);
}

// Hands on what is acknowledged, in order. The partition is looked up again each time: its pump may be removed
// meanwhile.
void RelaySink::acknowledge(const LinkPartition& key, uint64_t attempt) {
  for (;;) {
    RelayPartition* partition = find(key, attempt);
    if (!partition || !partition->open()) return;
    auto acknowledged = partition->pop_acknowledged();
    if (!acknowledged) return queue(key, *partition);
    const TranslationRun& run = acknowledged->run;
    journal_.relayed(key, run);
    AppendAck ack;
    ack.source_base = run.source;
    ack.target_base = run.target;
    ack.length = run.length;
    ack.source_epoch = run.source_epoch;
    ack.target_epoch = run.target_epoch;
    ack.end = ack.high_watermark = run.source_end();
    partition->pump().on_appended(acknowledged->generation, ack);
  }
}

}  // namespace farshore::replicator
