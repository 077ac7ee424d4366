#include "replicator/mirror_sink.h"

#include <algorithm>

namespace farshore::replicator {

namespace {

using Code = kafka::ErrorCode;

SourceOffset offset_or_zero(int64_t offset) { return SourceOffset(std::max<int64_t>(offset, 0)); }

}  // namespace

MirrorSink::MirrorSink(Env& env, kafka::ClusterClient& target, LinkId link, LinkEpoch epoch, MirrorSinkOptions options)
    : env_(env),
      target_(target),
      link_(link),
      epoch_(epoch),
      options_(options),
      lanes_(env, target, SinkLaneOptions{"mirror sink lane", options.timeout, options.probe_interval},
             static_cast<SinkLaneOwner&>(*this)) {}

void MirrorSink::attach(PartitionPump& pump, SinkTarget target) {
  Entry& entry = entries_[pump.key()];
  entry = {};
  entry.pump = &pump;
  entry.target = std::move(target);
  entry.serial = ++attached_;
}

void MirrorSink::detach(const LinkPartition& key) { entries_.erase(key); }

MirrorSink::Entry* MirrorSink::find(const LinkPartition& key) {
  auto it = entries_.find(key);
  return it == entries_.end() ? nullptr : &it->second;
}

MirrorSink::Entry* MirrorSink::find(const InFlight& flight) {
  Entry* entry = find(flight.key);
  return entry && entry->serial == flight.serial ? entry : nullptr;
}

void MirrorSink::ready(PartitionPump& pump) {
  Entry* entry = find(pump.key());
  if (!entry || !entry->lane || entry->queued) return;
  entry->queued = true;
  entry->lane->queue(pump.key());
}

bool MirrorSink::lane_may_send(const SinkLane& lane) {
  if (lane.queued().empty()) return false;
  if (lane.in_flight() < options_.requests_eager) return true;
  if (lane.in_flight() >= options_.requests_max) return false;
  size_t bytes = 0;
  for (const LinkPartition& key : lane.queued()) {
    if (Entry* entry = find(key)) bytes += entry->pump->ready_bytes();
    if (bytes >= options_.large_request_bytes) return true;
  }
  return false;
}

MirrorSink::Append MirrorSink::new_request() const {
  Append request;
  request.link_id = link_.value();
  request.link_epoch = epoch_.value();
  request.timeout_ms = static_cast<int32_t>(std::chrono::duration_cast<milliseconds>(options_.timeout).count());
  return request;
}

void MirrorSink::lane_send(SinkLane& lane) {
  Append request = new_request();
  std::vector<InFlight> in_flight;
  size_t bytes = 0;
  for (size_t n = lane.queued().size(); n > 0 && bytes < options_.request_bytes_max; --n) {
    const LinkPartition key = *lane.next_queued();
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
    in_flight.push_back(add(key, *entry, std::move(*pumped), request));
    if (entry->pump->can_send()) ready(*entry->pump);
  }
  if (!in_flight.empty()) send(lane, std::move(request), std::move(in_flight));
}

MirrorSink::InFlight MirrorSink::add(const LinkPartition& key, const Entry& entry, Pumped pumped,
                                     Append& request) const {
  const TargetTopicId topic_id = entry.target.topic_id;
  if (request.topics.empty() || request.topics.back().topic_id != topic_id.value())
    request.topics.emplace_back().topic_id = topic_id.value();
  auto& partition = request.topics.back().partitions.emplace_back();
  partition.partition = key.partition.value();
  partition.pump_session = pumped.session.value();
  partition.expected_end_offset = pumped.expected_end.value();
  partition.previous_epoch = pumped.epoch_before.value();
  partition.source_high_watermark = pumped.source.high_watermark.value();
  partition.source_log_start = pumped.source.log_start.value();
  partition.source_leader_epoch = pumped.source.leader_epoch.value();
  partition.last_stable_offset = pumped.source.last_stable.value();
  InFlight flight;
  flight.key = key;
  flight.serial = entry.serial;
  flight.target_topic = topic_id;
  flight.generation = pumped.generation;
  flight.base = flight.next = pumped.expected_end;
  flight.epoch = pumped.epoch_before;
  flight.budget = std::move(pumped.run.budget);
  if (!pumped.run.empty()) {
    flight.base = SourceOffset(pumped.run.first().value());
    flight.next = SourceOffset(pumped.run.next().value());
    flight.epoch = pumped.run.batches.back().epoch();
    partition.records = kafka::Records(std::move(pumped.run.bytes));
  } else {
    partition.records = kafka::Records::empty();
  }
  return flight;
}

// An append of nothing: only to hear whether the target answers.
void MirrorSink::lane_idle(SinkLane& lane) { send(lane, new_request(), {}); }

void MirrorSink::send(SinkLane& lane, Append request, std::vector<InFlight> in_flight) {
  auto on_answer = [this, in_flight = std::move(in_flight)](Result<kafka::MirrorAppendResponse> response) mutable {
    answered(in_flight, response);
  };
  lane.send(std::move(request), std::move(on_answer));
}

void MirrorSink::answered(std::vector<InFlight>& in_flight, const Result<kafka::MirrorAppendResponse>& response) {
  if (!response)
    fail_all(in_flight, response.error());
  else if (response->error_code != 0)
    fail_all(in_flight, mirror_error(response->error_code, response->error_message));
  else
    deliver(in_flight, *response);
}

void MirrorSink::fail_all(const std::vector<InFlight>& in_flight, const Error& error) {
  for (const InFlight& flight : in_flight) {
    if (Entry* entry = find(flight)) entry->pump->on_append_failed(flight.generation, error, std::nullopt);
  }
}

// A target that restarted may have lost its tail. So each pump opens again and gets the target's end, also pumps
// without batches to send.
void MirrorSink::lane_lost(SinkLane& lane) {
  Error lost(ErrorCode::kConnectionReset,
             "the connection to target broker " + std::to_string(lane.broker()) + " ended");
  for (auto& [key, entry] : entries_) {
    if (entry.lane == &lane) entry.pump->on_append_failed(entry.pump->generation(), lost, std::nullopt);
  }
}

// Nothing was taken from the pump. It opens again, with backoff.
void MirrorSink::lane_unreachable(SinkLane&, const LinkPartition& key, const Error& error) {
  Entry* entry = find(key);
  if (!entry) return;
  entry->queued = false;
  entry->pump->on_append_failed(entry->pump->generation(), error, std::nullopt);
}

void MirrorSink::deliver(std::vector<InFlight>& in_flight, const kafka::MirrorAppendResponse& response) {
  std::map<std::pair<TopicId, int32_t>, const AppendResult*> results;
  for (const auto& topic : response.topics) {
    for (const auto& partition : topic.partitions) results[{topic.topic_id, partition.partition}] = &partition;
  }
  for (InFlight& flight : in_flight) {
    auto it = results.find({flight.target_topic.value(), flight.key.partition.value()});
    deliver_one(flight, it == results.end() ? nullptr : it->second);
  }
}

void MirrorSink::deliver_one(InFlight& flight, const AppendResult* result) {
  Entry* entry = find(flight);
  if (!entry) return;
  if (!result) {
    Error missing(ErrorCode::kUnavailable, "the target's answer leaves the partition out");
    return entry->pump->on_append_failed(flight.generation, missing, std::nullopt);
  }
  if (result->error_code != 0) {
    if (result->error_code == static_cast<int16_t>(Code::kNotLeaderOrFollower))
      target_.forget_leader({entry->target.topic, flight.key.partition.value()});
    Error refused = mirror_error(result->error_code, result->error_message);
    return entry->pump->on_append_failed(flight.generation, refused, std::nullopt);
  }
  AppendAck ack;
  ack.source_base = flight.base;
  ack.target_base = TargetOffset(flight.base.value());
  ack.length = flight.next - flight.base;
  ack.source_epoch = flight.epoch;
  ack.target_epoch = LeadershipEpoch(result->leadership_epoch);
  ack.end = offset_or_zero(result->end_offset);
  ack.high_watermark = offset_or_zero(result->high_watermark);
  ack.log_start = offset_or_zero(result->log_start_offset);
  entry->pump->on_appended(flight.generation, ack);
}

Result<TargetState> MirrorSink::state_of(const ControlResult& result) {
  if (result.end_offset < 0)
    return Error(ErrorCode::kUnavailable, "target: MirrorControl answered without the log's end offset");
  TargetState state;
  state.end = SourceOffset(result.end_offset);
  state.last_epoch = LogEpoch(result.last_epoch);
  state.high_watermark = offset_or_zero(result.high_watermark);
  state.log_start = offset_or_zero(result.log_start_offset);
  state.session = PumpSession(result.pump_session);
  return state;
}

Task<Result<MirrorSink::ControlResult>> MirrorSink::control(LinkPartition key, MirrorOperation operation,
                                                            PumpSession session, int64_t offset, int32_t epoch) {
  Entry* entry = find(key);
  if (!entry) co_return Error(ErrorCode::kClosed, "the partition was removed from the link");
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
  if (response->topics.empty())
    co_return Error(ErrorCode::kUnavailable, "target: MirrorControl answered without this partition");
  auto& result = response->topics.front();
  if (result.error_code != 0) co_return mirror_error(result.error_code, result.error_message);
  if (result.partitions.empty())
    co_return Error(ErrorCode::kUnavailable, "target: MirrorControl answered without this partition");
  if (int16_t code = result.partitions.front().error_code; code != 0) {
    if (code == static_cast<int16_t>(Code::kNotLeaderOrFollower)) target_.forget_leader(partition);
    co_return mirror_error(code, result.partitions.front().error_message);
  }
  if (operation == MirrorOperation::kOpen) {
    entry = find(key);
    if (!entry) co_return Error(ErrorCode::kClosed, "the partition was removed from the link");
    entry->lane = &lanes_.to(leader.broker);
  }
  co_return std::move(result.partitions.front());
}

Task<Result<TargetState>> MirrorSink::open(LinkPartition key) {
  CO_TRY(auto result, co_await control(key, MirrorOperation::kOpen, PumpSession(0), -1, -1));
  co_return state_of(result);
}

Task<Result<Truncated>> MirrorSink::truncate(LinkPartition key, PumpSession session, SourceOffset end, LogEpoch epoch) {
  CO_TRY(auto cut, co_await control(key, MirrorOperation::kTruncate, session, end.value(), epoch.value()));
  Truncated truncated;
  if (cut.removed_from >= 0) {
    truncated.lost.from = SourceOffset(cut.removed_from);
    truncated.lost.to = SourceOffset(cut.removed_to);
  }
  CO_TRY(truncated.state, co_await open(key));
  co_return truncated;
}

Task<Result<TargetState>> MirrorSink::advance_log_start(LinkPartition key, PumpSession session, SourceOffset to) {
  CO_CHECK(co_await control(key, MirrorOperation::kAdvanceLogStart, session, to.value(), -1));
  co_return co_await open(key);
}

}  // namespace farshore::replicator
