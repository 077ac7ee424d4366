#include "replicator/relay/relay_sink.h"

#include <algorithm>
#include <utility>

#include "replicator/relay/batch.h"
#include "replicator/relay/takeover.h"

namespace farshore::replicator {

namespace {

constexpr int16_t kProduceByName = 12;  // the last version that names topics

std::string name_of(const SinkTarget& target, const LinkPartition& key) {
  return target.topic + "-" + std::to_string(key.partition.value());
}

Error relayed_no_more() { return Error(ErrorCode::kClosed, "the partition was removed from the link"); }

}  // namespace

RelaySink::RelaySink(Env& env, kafka::ClusterClient& target, RelayJournal& journal, RelaySinkOptions options)
    : env_(env),
      cluster_(target),
      journal_(journal),
      options_(options),
      clock_(env, options.pause_max),
      changed_(env),
      stopping_(env),
      lanes_(env, target, SinkLaneOptions{"relay sink lane", options.timeout, options.idle_max},
             static_cast<SinkLaneOwner&>(*this)),
      gate_(env) {}

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

void RelaySink::fail(const LinkPartition& key, uint64_t attempt, const Error& error) {
  RelayPartition* partition = find(key, attempt);
  if (!partition || !partition->open()) return;
  partition->close();
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
  Error error(ErrorCode::kUnavailable,
              "the gateway process was paused for too long: the partition is taken over again");
  std::vector<std::pair<LinkPartition, uint64_t>> all;
  for (auto& [key, partition] : partitions_) {
    if (partition.open()) all.emplace_back(key, partition.attempt());
  }
  for (const auto& [key, attempt] : all) fail(key, attempt, error);
}

// --- control

// An anchor of the former attempt must not come after what the new one reads.
Task<Status> RelaySink::wait_for_turn(LinkPartition key, uint64_t attempt) {
  const Deadline patience = env_.in(options_.takeover_limit);
  while (anchoring_.count(key) || takeovers_ >= options_.takeovers_at_once_max) {
    CO_CHECK(co_await changed_.wait(patience));
    if (!wanted(key, attempt)) co_return relayed_no_more();
  }
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
  }
  CO_CHECK(co_await wait_for_turn(key, attempt));
  if (!wanted(key, attempt)) co_return relayed_no_more();
  SinkTarget target = find(key, attempt)->target();
  RelayTakeover takeover(env_, cluster_, journal_, options_, key, std::move(target),
                         [this, key, attempt] { return wanted(key, attempt); });
  ++takeovers_;
  auto taken = co_await takeover.run();
  --takeovers_;
  changed_.notify();
  if (!taken) {
    Error error = std::move(taken).error();
    // Made or grown a moment ago, and this broker has not heard of it. What is gone the owner finds by the topic's id.
    if (error == ErrorCode::kNotFound) error.code = ErrorCode::kUnavailable;
    co_return error;
  }
  partition = find(key, attempt);
  if (!partition || stopping_.is_set()) co_return relayed_no_more();
  partition->end_takeover(*taken, lanes_.to(taken->broker));
  for (const TranslationRun& run : taken->resume.found) journal_.relayed(key, run);
  co_return partition->state();
}

Task<Result<Truncated>> RelaySink::truncate(LinkPartition key, PumpSession, SourceOffset end, LogEpoch) {
  co_return Error(ErrorCode::kUnsupported, "the source lost relayed records from offset " +
                                               std::to_string(end.value()) + " of partition " +
                                               std::to_string(key.partition.value()) +
                                               " on, and a Kafka target cannot be truncated: fail the topic over, or "
                                               "delete it at the target and create a new link");
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
    if (!partition->open()) continue;
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
  auto on_answer = [this, sent = std::move(sent)](Result<kafka::ProduceResponse> response) {
    answered(sent, response);
  };
  lane.send(std::move(request), std::move(on_answer), by_id ? kafka::Client::kNewest : kProduceByName);
}

// The partition's next batch may leave now. What it waits for queues the partition again.
bool RelaySink::next(const LinkPartition& key, RelayPartition& partition) {
  const BatchHeader* batch = partition.take_next(options_.batches_in_flight_max);
  if (!batch) return false;
  if (Status raw = can_relay_raw(*batch); !raw) {
    if (partition.idle()) fail(key, partition.attempt(), raw.error());
    return false;
  }
  if (partition.needs_anchor(options_.anchor_records_max)) {
    // Only when everything before it was acknowledged: that makes the anchor evidence (evidence.h).
    if (!partition.idle() || !anchoring_.insert(key).second) return false;
    const RelayAnchor made = partition.anchor_for_next();
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
  queue(key, *partition);
}

// Moves the held batch of the partition into the request; returns its size in bytes.
size_t RelaySink::add(const LinkPartition& key, RelayPartition& partition, Produce& request, std::vector<Sent>& sent) {
  const uint64_t flight = ++flights_;
  SliceList bytes = partition.stamp(flight);
  const size_t size = bytes.size();
  const std::string& name = partition.target().topic;
  if (request.topic_data.empty() || request.topic_data.back().name != name) {
    auto& topic = request.topic_data.emplace_back();
    topic.name = name;
    topic.topic_id = partition.topic_id();
  }
  auto& data = request.topic_data.back().partition_data.emplace_back();
  data.index = key.partition.value();
  data.records = kafka::Records(std::move(bytes));
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

Status RelaySink::lane_may_still_send() {
  if (!clock_.stalled()) return ok();
  return Error(
      ErrorCode::kUnavailable,
      "the gateway process was paused too long before it sent this request; the partition is taken over again");
}

// --- answers

void RelaySink::answered(const std::vector<Sent>& sent, const Result<kafka::ProduceResponse>& response) {
  if (!response) {
    for (const Sent& each : sent) {
      if (const RelayPartition* partition = find(each.key, each.attempt))
        fail(each.key, each.attempt, response.error().in("produce to " + name_of(partition->target(), each.key)));
    }
    return;
  }
  const bool by_id = std::all_of(sent.begin(), sent.end(), [](const Sent& each) { return !each.topic_id.is_zero(); });
  std::map<std::pair<std::string, int32_t>, const Answer*> by_name;
  std::map<std::pair<TopicId, int32_t>, const Answer*> by_topic_id;
  for (const auto& topic : response->responses) {
    for (const Answer& each : topic.partition_responses) {
      by_name[{topic.name, each.index}] = &each;
      by_topic_id[{topic.topic_id, each.index}] = &each;
    }
  }
  for (const Sent& each : sent) {
    const Answer* answer = nullptr;
    const int32_t index = each.key.partition.value();
    if (auto it = by_name.find({each.topic, index}); it != by_name.end()) answer = it->second;
    if (auto it = by_topic_id.find({each.topic_id, index}); by_id && it != by_topic_id.end()) answer = it->second;
    deliver(each, answer);
  }
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
    RefusedBatch refused{at.topic, at.partition, flight->source, flight->bytes, flight->max_timestamp_ms};
    Error error = produce_error(answer->error_code, answer->error_message, refused);
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
