#include "replicator/relay/relay_partition.h"

#include <algorithm>
#include <utility>

#include "proto/batch/merge.h"
#include "replicator/relay/batch.h"

namespace farshore::replicator {

RelayPartition::RelayPartition(PartitionPump& pump, SinkTarget target, uint64_t attempt)
    : pump_(&pump), target_(std::move(target)), attempt_(attempt) {}

void RelayPartition::begin_takeover(uint64_t attempt) {
  attempt_ = attempt;
  close();
}

void RelayPartition::end_takeover(const RelayTakenOver& taken, MonoTime owned_until, SinkLane& lane) {
  close();
  open_ = true;
  queued = false;
  lane_ = &lane;
  topic_id_ = taken.topic_id;
  producer_ = taken.producer;
  session_ = taken.session;
  owned_until_ = owned_until;
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

OwnedPartition RelayPartition::owned() const {
  OwnedPartition owned;
  owned.key = pump_->key();
  owned.attempt = attempt_;
  owned.session = session_;
  return owned;
}

TargetState RelayPartition::state() const {
  TargetState state;
  state.end = state.high_watermark = acked_end_;
  state.last_epoch = acked_epoch_;
  state.session = PumpSession(static_cast<int64_t>(attempt_));
  return state;
}

AppendAck RelayPartition::ack_of_nothing() const {
  AppendAck ack;
  ack.source_base = ack.end = ack.high_watermark = acked_end_;
  ack.target_base = target_end_;
  ack.source_epoch = acked_epoch_;
  ack.target_epoch = target_epoch_;
  return ack;
}

bool RelayPartition::may_merge(const RelaySinkOptions& options) const {
  return options.merged_bytes_max > 0 && next_source_ >= merge_from_;
}

Result<const BatchHeader*> RelayPartition::take_next(const RelaySinkOptions& options, SlabArena& arena) {
  const BatchHeader* none = nullptr;
  if (held_ && held_->generation != pump_->generation()) {
    held_.reset();  // the pump was reset meanwhile, and will open or advance
    return none;
  }
  if (!held_) {
    if (flights_.size() >= options.batches_in_flight_max) return none;
    held_ = may_merge(options) ? pump_->take(options.merged_bytes_max, can_merge) : pump_->take(1);
    if (!held_) return none;
    if (held_->run.empty()) {
      const uint32_t generation = held_->generation;
      held_.reset();
      pump_->on_appended(generation, ack_of_nothing());
      return none;
    }
    held_batches_ = held_->run.batches.size();
    const SourceOffset end(held_->run.next().value());
    auto merged = merge_batches(std::move(held_->run), arena);
    if (!merged) {
      held_.reset();
      merge_nothing_below(end);
      return std::move(merged).error();
    }
    held_->run = std::move(*merged);
  }
  return &held_->run.batches.front();
}

bool RelayPartition::needs_anchor(int32_t anchor_records_max) const {
  const BatchHeader& batch = held_->run.batches.front();
  return !anchored_ || SourceOffset(batch.base_offset) != next_source_ || batch.epoch() != anchor_epoch_ ||
         (anchor_records_ > 0 && anchor_records_ + batch.record_count > anchor_records_max);
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

RelayAnchor RelayPartition::anchor_behind_next() const {
  RelayAnchor made = anchor_for_next();
  made.source = SourceOffset(held_->run.batches.front().next().value());
  return made;
}

RelayAnchor RelayPartition::anchor_behind(TargetOffset target) {
  target_end_ = std::max(target_end_, target);
  RelayAnchor made;
  made.producer = producer_;
  made.sequence = next_sequence_;
  made.source = next_source_;
  made.source_epoch = acked_epoch_;
  made.target_from = target_end_;
  return made;
}

std::optional<RelayPartition::PassedOver> RelayPartition::pass_over() {
  if (!held_ || !carries_no_record(held_->run.batches.front())) return std::nullopt;
  const BatchHeader& batch = held_->run.batches.front();
  acked_end_ = next_source_ = SourceOffset(batch.next().value());
  acked_epoch_ = batch.epoch();
  PassedOver passed{held_->generation, ack_of_nothing()};
  held_.reset();
  return passed;
}

int RelayPartition::count_refusal(const Flight& flight, int16_t code) {
  if (flights_.empty() || &flights_.front() != &flight) return 0;  // perhaps only a consequence
  if (refusal_.source != flight.source || refusal_.code != code) refusal_ = Refusal{flight.source, code, 0};
  return ++refusal_.times;
}

Error RelayPartition::refused(const Flight& flight, int16_t code, const std::optional<std::string>& message,
                              const RelaySinkOptions& options) {
  const RefusedBatch batch{target_.topic, pump_->key().partition.value(), flight.source, flight.bytes,
                           flight.max_timestamp_ms};
  Error error = produce_error(code, message, batch);
  if (refused_for_now(code)) return error;
  if (flight.batches > 1) {
    merge_nothing_below(flight.end());
    if (error == ErrorCode::kInvalidArgument) error.code = ErrorCode::kUnavailable;
    return error;
  }
  const int times = count_refusal(flight, code);
  if (error == ErrorCode::kUnavailable && times >= options.refusals_max)
    return always_refused(code, message, batch, times);
  return error;
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
  flight.batches = held_batches_;
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
