#include "replicator/relay/relay_partition.h"

#include <algorithm>
#include <utility>

#include "replicator/relay/batch.h"

namespace farshore::replicator {

RelayPartition::RelayPartition(PartitionPump& pump, SinkTarget target, uint64_t attempt)
    : pump_(&pump), target_(std::move(target)), attempt_(attempt) {}

void RelayPartition::begin_takeover(uint64_t attempt) {
  attempt_ = attempt;
  close();
}

void RelayPartition::end_takeover(const RelayTakenOver& taken, SinkLane& lane) {
  close();
  open_ = true;
  queued = false;
  lane_ = &lane;
  topic_id_ = taken.topic_id;
  producer_ = taken.producer;
  target_epoch_ = taken.epoch;
  anchored_ = false;
  next_sequence_ = 0;
  next_source_ = acked_end_ = pump_end_ = taken.resume.source;
  acked_epoch_ = taken.resume.source_epoch;
  target_end_ = taken.target_end;
}

void RelayPartition::close() {
  open_ = false;
  flights_.clear();
  held_.reset();
}

TargetState RelayPartition::state() const {
  TargetState state;
  state.end = state.high_watermark = acked_end_;
  state.last_epoch = acked_epoch_;
  state.session = PumpSession(static_cast<int64_t>(attempt_));
  return state;
}

const BatchHeader* RelayPartition::take_next(size_t in_flight_max) {
  if (held_ && held_->generation != pump_->generation()) {
    held_.reset();  // the pump was reset meanwhile, and will open or advance
    return nullptr;
  }
  if (!held_) {
    if (flights_.size() >= in_flight_max) return nullptr;
    held_ = pump_->take(1);  // one batch: Kafka refuses more of a partition in one request
    if (!held_) return nullptr;
    if (held_->run.empty()) {
      AppendAck ack;
      ack.source_base = ack.end = ack.high_watermark = acked_end_;
      ack.target_base = target_end_;
      ack.source_epoch = acked_epoch_;
      ack.target_epoch = target_epoch_;
      const uint32_t generation = held_->generation;
      held_.reset();
      pump_->on_appended(generation, ack);
      return nullptr;
    }
  }
  return &held_->run.batches.front();
}

bool RelayPartition::needs_anchor(int32_t anchor_records_max) const {
  const BatchHeader& batch = held_->run.batches.front();
  return !anchored_ || SourceOffset(batch.base_offset) != next_source_ || batch.epoch() != anchor_epoch_ ||
         anchor_records_ + batch.record_count > anchor_records_max;
}

RelayAnchor RelayPartition::anchor_for_next() const {
  const BatchHeader& batch = held_->run.batches.front();
  RelayAnchor made;
  made.producer = producer_;
  made.sequence = next_sequence_;
  made.source = SourceOffset(batch.base_offset);
  made.source_epoch = batch.epoch();
  made.target_from = target_end_;
  return made;
}

void RelayPartition::use_anchor(const RelayAnchor& written) {
  anchored_ = true;
  anchor_epoch_ = written.source_epoch;
  anchor_records_ = 0;
  next_source_ = written.source;
}

SliceList RelayPartition::stamp(uint64_t flight_id) {
  Pumped pumped = std::move(*held_);
  held_.reset();
  const BatchHeader& batch = pumped.run.batches.front();
  Flight& flight = flights_.emplace_back();
  flight.id = flight_id;
  flight.generation = pumped.generation;
  flight.source = SourceOffset(batch.base_offset);
  flight.length = batch.record_count;
  flight.source_epoch = batch.epoch();
  flight.bytes = batch.size_bytes();
  flight.max_timestamp_ms = batch.max_timestamp;
  stamp_for_relay(pumped.run, producer_, next_sequence_);
  next_sequence_ = sequence_after(next_sequence_, flight.length);
  next_source_ = flight.end();
  anchor_records_ += flight.length;
  flight.budget = std::move(pumped.run.budget);
  return std::move(pumped.run.bytes);
}

RelayPartition::Flight* RelayPartition::flight(uint64_t id) {
  auto it = std::find_if(flights_.begin(), flights_.end(), [id](const Flight& each) { return each.id == id; });
  return it == flights_.end() ? nullptr : &*it;
}

std::optional<RelayPartition::Acknowledged> RelayPartition::pop_acknowledged() {
  if (flights_.empty() || !flights_.front().base) return std::nullopt;
  Flight flight = std::move(flights_.front());
  flights_.pop_front();
  Acknowledged out;
  out.generation = flight.generation;
  out.run.source = flight.source;
  out.run.target = *flight.base;
  out.run.length = flight.length;
  out.run.source_epoch = flight.source_epoch;
  out.run.target_epoch = target_epoch_;
  out.budget = std::move(flight.budget);
  acked_end_ = flight.end();
  acked_epoch_ = flight.source_epoch;
  target_end_ = out.run.target_end();
  return out;
}

void RelayPartition::advance(SourceOffset to) {
  held_.reset();
  if (pump_end_ == acked_end_) {
    next_source_ = acked_end_ = to;
    anchored_ = false;
  }
  pump_end_ = acked_end_;
  if (next_source_ != acked_end_) {  // what was taken and not sent is fetched, or missed, again
    next_source_ = acked_end_;
    anchored_ = false;
  }
}

}  // namespace farshore::replicator
