#include "replicator/mirror_sink.h"

#include <algorithm>

namespace farshore::replicator {

namespace {

using Code = kafka::ErrorCode;

SourceOffset offset_or_zero(int64_t offset) { return SourceOffset(std::max<int64_t>(offset, 0)); }

}  // namespace

// The way to one broker of the target.
struct MirrorSink::Lane {
  Lane(Reactor& reactor, int32_t b) : broker(b), wake(reactor) {}
  const int32_t broker;
  std::unique_ptr<kafka::Client> client;  // its own: bulk data must not hold up control
  std::deque<PumpKey> queue;              // of pumps that are ready
  int in_flight = 0;
  Notifier wake;
};

MirrorSink::MirrorSink(Env& env, kafka::ClusterClient& target, LinkId link, LinkEpoch epoch, MirrorSinkOptions options)
    : env_(env), target_(target), link_(link), epoch_(epoch), options_(options), stopping_(env), gate_(env) {}

MirrorSink::~MirrorSink() = default;

void MirrorSink::attach(PartitionPump& pump, SinkTarget target) {
  Entry& entry = entries_[pump.key()];
  entry = {};
  entry.pump = &pump;
  entry.target = std::move(target);
  entry.serial = ++attached_;
}

void MirrorSink::detach(const PumpKey& key) { entries_.erase(key); }

MirrorSink::Entry* MirrorSink::find(const PumpKey& key) {
  auto it = entries_.find(key);
  return it == entries_.end() ? nullptr : &it->second;
}

MirrorSink::Entry* MirrorSink::find(const InFlight& flight) {
  Entry* entry = find(flight.key);
  return entry && entry->serial == flight.serial ? entry : nullptr;
}

MirrorSink::Lane& MirrorSink::lane_of(int32_t broker) {
  auto& lane = lanes_[broker];
  if (!lane) {
    lane = std::make_shared<Lane>(env_, broker);
    spawn(gate_, "mirror sink lane", run_lane(lane));
  }
  return *lane;
}

void MirrorSink::ready(PartitionPump& pump) {
  Entry* entry = find(pump.key());
  if (!entry || !entry->lane || entry->queued) return;
  entry->queued = true;
  entry->lane->queue.push_back(pump.key());
  entry->lane->wake.notify();
}

bool MirrorSink::may_send(const Lane& lane) {
  if (lane.queue.empty()) return false;
  if (lane.in_flight < options_.requests_eager) return true;
  if (lane.in_flight >= options_.requests_max) return false;
  size_t bytes = 0;
  for (const PumpKey& key : lane.queue) {
    if (Entry* entry = find(key)) bytes += entry->pump->ready_bytes();
    if (bytes >= options_.large_request_bytes) return true;
  }
  return false;
}

bool MirrorSink::gather(Lane& lane, Append& request, std::vector<InFlight>& in_flight) {
  request.link_id = link_.value();
  request.link_epoch = epoch_.value();
  request.timeout_ms = static_cast<int32_t>(std::chrono::duration_cast<milliseconds>(options_.timeout).count());
  size_t bytes = 0;
  for (size_t n = lane.queue.size(); n > 0 && bytes < options_.request_bytes_max; --n) {
    PumpKey key = lane.queue.front();
    lane.queue.pop_front();
    Entry* entry = find(key);
    if (!entry) continue;
    entry->queued = false;
    if (entry->lane != &lane) {  // led by another broker by now
      if (entry->pump->can_send()) ready(*entry->pump);
      continue;
    }
    auto pumped = entry->pump->take(std::min(options_.partition_bytes_max, options_.request_bytes_max - bytes));
    if (!pumped) continue;
    bytes += pumped->run.bytes.size();
    const TargetTopicId topic_id = entry->target.topic_id;
    if (request.topics.empty() || request.topics.back().topic_id != topic_id.value())
      request.topics.emplace_back().topic_id = topic_id.value();
    auto& partition = request.topics.back().partitions.emplace_back();
    partition.partition = key.partition.value();
    partition.pump_session = pumped->session.value();
    partition.expected_end_offset = pumped->expected_end.value();
    partition.previous_epoch = pumped->epoch_before.value();
    partition.source_high_watermark = pumped->source.high_watermark.value();
    partition.source_log_start = pumped->source.log_start.value();
    partition.source_leader_epoch = pumped->source.leader_epoch.value();
    partition.last_stable_offset = pumped->source.last_stable.value();
    InFlight& flight = in_flight.emplace_back();
    flight.key = key;
    flight.serial = entry->serial;
    flight.target_topic = topic_id;
    flight.generation = pumped->generation;
    flight.base = flight.next = pumped->expected_end;
    flight.epoch = pumped->epoch_before;
    flight.budget = std::move(pumped->run.budget);
    if (!pumped->run.empty()) {
      flight.base = SourceOffset(pumped->run.first().value());
      flight.next = SourceOffset(pumped->run.next().value());
      flight.epoch = pumped->run.batches.back().epoch();
      partition.records = kafka::Records(std::move(pumped->run.bytes));
    } else {
      partition.records = kafka::Records::empty();
    }
    if (entry->pump->can_send()) ready(*entry->pump);
  }
  return !in_flight.empty();
}

Task<void> MirrorSink::run_lane(std::shared_ptr<Lane> lane) {
  while (!stopping_.is_set()) {
    if (lane->client && !lane->client->usable() && lane->in_flight == 0) {  // those under way fail first
      lane->client.reset();
      fail_lane(*lane);
      continue;
    }
    if (!may_send(*lane)) {
      Deadline probe = Deadline::never();
      if (lane->client && lane->in_flight == 0) probe = env_.in(options_.probe_interval);
      auto woken = co_await lane->wake.wait(probe);
      if (!woken && woken.error().code == ErrorCode::kTimedOut && !stopping_.is_set() && lane->client &&
          lane->client->usable()) {
        Append nothing;
        nothing.link_id = link_.value();
        nothing.link_epoch = epoch_.value();
        nothing.timeout_ms = static_cast<int32_t>(std::chrono::duration_cast<milliseconds>(options_.timeout).count());
        send(lane, std::move(nothing), {});
      }
      continue;
    }
    if (!lane->client || !lane->client->usable()) {
      if (lane->in_flight > 0) {  // they fail first
        (void)co_await lane->wake.wait(Deadline::never());
        continue;
      }
      auto opened = co_await target_.open(lane->broker, env_.in(options_.timeout));
      if (stopping_.is_set()) break;
      if (!opened) {
        // Nothing was taken from the pumps: say so to each that waits, and let them open anew (with backoff).
        std::deque<PumpKey> waiting;
        std::swap(waiting, lane->queue);
        for (const PumpKey& key : waiting) {
          Entry* entry = find(key);
          if (!entry) continue;
          entry->queued = false;
          entry->pump->on_append_failed(entry->pump->generation(), opened.error(), std::nullopt);
        }
        continue;
      }
      lane->client = std::move(*opened);
      round_trip_ = std::max(round_trip_, lane->client->round_trip());
    }
    Append request;
    std::vector<InFlight> in_flight;
    if (!gather(*lane, request, in_flight)) continue;
    send(lane, std::move(request), std::move(in_flight));
  }
  if (lane->client) lane->client->close();
}

void MirrorSink::send(const std::shared_ptr<Lane>& lane, Append request, std::vector<InFlight> in_flight) {
  ++lane->in_flight;
  auto answer = lane->client->call(std::move(request), env_.in(options_.timeout));
  spawn(gate_, "mirror append", await_answer(lane, std::move(in_flight), std::move(answer)));
}

Task<void> MirrorSink::await_answer(std::shared_ptr<Lane> lane, std::vector<InFlight> in_flight,
                                    Task<Result<kafka::MirrorAppendResponse>> answer) {
  auto response = co_await std::move(answer);
  --lane->in_flight;
  if (!stopping_.is_set()) {
    if (!response) {
      lane->client->close();
      fail_all(in_flight, response.error());
    } else if (response->error_code != 0) {
      fail_all(in_flight, mirror_error(response->error_code, response->error_message));
    } else {
      deliver(in_flight, *response);
    }
  }
  lane->wake.notify();
}

void MirrorSink::fail_all(const std::vector<InFlight>& in_flight, const Error& error) {
  for (const InFlight& flight : in_flight) {
    if (Entry* entry = find(flight)) entry->pump->on_append_failed(flight.generation, error, std::nullopt);
  }
}

// A target that went away may have come back with less: each pump asks anew what it has, also those with nothing to
// send.
void MirrorSink::fail_lane(const Lane& lane) {
  Error lost(ErrorCode::kConnectionReset, "the connection to target broker " + std::to_string(lane.broker) + " ended");
  for (auto& [key, entry] : entries_) {
    if (entry.lane == &lane) entry.pump->on_append_failed(entry.pump->generation(), lost, std::nullopt);
  }
}

void MirrorSink::deliver(std::vector<InFlight>& in_flight, const kafka::MirrorAppendResponse& response) {
  std::map<std::pair<TopicId, int32_t>, const kafka::MirrorAppendResponse::MirrorAppendPartitionResult*> results;
  for (const auto& topic : response.topics) {
    for (const auto& partition : topic.partitions) results[{topic.topic_id, partition.partition}] = &partition;
  }
  for (InFlight& flight : in_flight) {
    Entry* entry = find(flight);
    if (!entry) continue;
    auto it = results.find({flight.target_topic.value(), flight.key.partition.value()});
    if (it == results.end()) {
      Error missing(ErrorCode::kUnavailable, "the target's answer leaves the partition out");
      entry->pump->on_append_failed(flight.generation, missing, std::nullopt);
      continue;
    }
    const auto& result = *it->second;
    if (result.error_code != 0) {
      if (result.error_code == static_cast<int16_t>(Code::kNotLeaderOrFollower))
        target_.forget_leader({entry->target.topic, flight.key.partition.value()});
      entry->pump->on_append_failed(flight.generation, mirror_error(result.error_code, result.error_message),
                                    std::nullopt);
      continue;
    }
    AppendAck ack;
    ack.source_base = flight.base;
    ack.target_base = TargetOffset(flight.base.value());
    ack.length = flight.next - flight.base;
    ack.source_epoch = flight.epoch;
    ack.target_epoch = LeadershipEpoch(result.leadership_epoch);
    ack.end = offset_or_zero(result.end_offset);
    ack.high_watermark = offset_or_zero(result.high_watermark);
    ack.log_start = offset_or_zero(result.log_start_offset);
    entry->pump->on_appended(flight.generation, ack);
  }
}

Result<TargetState> MirrorSink::state_of(const ControlResult& result) {
  if (result.end_offset < 0) return Error(ErrorCode::kUnavailable, "the target does not say where its log ends");
  TargetState state;
  state.end = SourceOffset(result.end_offset);
  state.last_epoch = LogEpoch(result.last_epoch);
  state.high_watermark = offset_or_zero(result.high_watermark);
  state.log_start = offset_or_zero(result.log_start_offset);
  state.session = PumpSession(result.pump_session);
  return state;
}

Task<Result<MirrorSink::ControlResult>> MirrorSink::control(PumpKey key, MirrorOperation operation, PumpSession session,
                                                            int64_t offset, int32_t epoch) {
  Entry* entry = find(key);
  if (!entry) co_return Error(ErrorCode::kClosed, "the partition is mirrored no more");
  SinkTarget at = entry->target;
  const Deadline deadline = env_.in(options_.timeout);
  TopicPartition partition{at.topic, key.partition.value()};
  CO_TRY(kafka::Leader leader, co_await target_.leader(partition, deadline));
  CO_TRY(auto client, co_await target_.broker(leader.broker, deadline));
  Control request;
  request.link_id = link_.value();
  request.link_epoch = epoch_.value();
  request.timeout_ms = static_cast<int32_t>(std::chrono::duration_cast<milliseconds>(options_.timeout).count());
  request.op = wire_value(operation);
  auto& topic = request.topics.emplace_back();
  topic.topic_id = at.topic_id.value();
  topic.source_topic_id = key.source_topic.value();
  auto& asked = topic.partitions.emplace_back();
  asked.partition = partition.partition;
  asked.pump_session = session.value();
  asked.offset = offset;
  asked.epoch = epoch;
  auto response = co_await client->call(std::move(request), deadline);
  if (!response) co_return std::move(response).error();
  if (response->error_code != 0) co_return mirror_error(response->error_code, response->error_message);
  if (response->topics.empty()) co_return Error(ErrorCode::kUnavailable, "the target's answer is empty");
  auto& result = response->topics.front();
  if (result.error_code != 0) co_return mirror_error(result.error_code, result.error_message);
  if (result.partitions.empty()) co_return Error(ErrorCode::kUnavailable, "the target's answer is empty");
  if (int16_t code = result.partitions.front().error_code; code != 0) {
    if (code == static_cast<int16_t>(Code::kNotLeaderOrFollower)) target_.forget_leader(partition);
    co_return mirror_error(code, result.partitions.front().error_message);
  }
  if (operation == MirrorOperation::kOpen) {
    entry = find(key);
    if (!entry) co_return Error(ErrorCode::kClosed, "the partition is mirrored no more");
    entry->lane = &lane_of(leader.broker);
  }
  co_return std::move(result.partitions.front());
}

Task<Result<TargetState>> MirrorSink::open(PumpKey key) {
  CO_TRY(auto result, co_await control(key, MirrorOperation::kOpen, PumpSession(0), -1, -1));
  co_return state_of(result);
}

Task<Result<Truncated>> MirrorSink::truncate(PumpKey key, PumpSession session, SourceOffset end, LogEpoch epoch) {
  CO_TRY(auto cut, co_await control(key, MirrorOperation::kTruncate, session, end.value(), epoch.value()));
  Truncated truncated;
  if (cut.removed_from >= 0) {
    truncated.lost.from = SourceOffset(cut.removed_from);
    truncated.lost.to = SourceOffset(cut.removed_to);
  }
  CO_TRY(truncated.state, co_await open(key));
  co_return truncated;
}

Task<Result<TargetState>> MirrorSink::advance_log_start(PumpKey key, PumpSession session, SourceOffset to) {
  CO_CHECK(co_await control(key, MirrorOperation::kAdvanceLogStart, session, to.value(), -1));
  co_return co_await open(key);
}

size_t MirrorSink::appends_in_flight() const {
  size_t count = 0;
  for (const auto& [broker, lane] : lanes_) count += static_cast<size_t>(lane->in_flight);
  return count;
}

Task<void> MirrorSink::stop() {
  stopping_.set();
  for (auto& [broker, lane] : lanes_) {
    if (lane->client) lane->client->close();
    lane->wake.close();
  }
  co_await gate_.close();
}

}  // namespace farshore::replicator
