// RelayPartition: one partition of a RelaySink, as of its last takeover: whose producer it is, which sequence and
// source offset come next, and the batches that are on their way. Passive: no I/O, no coroutine.
//
//   take_next() --held batch--> needs_anchor()? --> stamp() --flight--> answered() --> pop_acknowledged()
//
// Memory: a batch on its way keeps its budget until it is answered.
#pragma once

#include <deque>
#include <memory>
#include <optional>

#include "replicator/pump.h"
#include "replicator/relay/options.h"
#include "replicator/relay/takeover.h"
#include "replicator/sink.h"
#include "replicator/sink_lane.h"

namespace farshore::replicator {

class RelayPartition {
 public:
  // One batch on its way.
  struct Flight {
    uint64_t id = 0;
    uint32_t generation = 0;  // of the pump
    SourceOffset source;
    int32_t length = 0;  // in records, which are offsets: a relayed batch has no gaps
    LogEpoch source_epoch{-1};
    size_t bytes = 0;
    int64_t max_timestamp_ms = -1;
    Budget::Token budget;
    std::optional<TargetOffset> base;  // where the target appended it, once it said so
    SourceOffset end() const { return source + length; }
  };
  struct Acknowledged {
    uint32_t generation = 0;
    TranslationRun run;
    Budget::Token budget;  // given back when the pump knows
  };

  RelayPartition(PartitionPump& pump, SinkTarget target, uint64_t attempt);

  PartitionPump& pump() { return *pump_; }
  const SinkTarget& target() const { return target_; }
  // Unique over the sink, and another one with each takeover. What belongs to another attempt is ignored.
  uint64_t attempt() const { return attempt_; }

  // --- the takeover
  void begin_takeover(uint64_t attempt);  // closes it
  void end_takeover(const RelayTakenOver& taken, SinkLane& lane);
  bool open() const { return open_; }
  void close();  // after an error: nothing more is sent, and answers to what is on its way are ignored

  SinkLane* lane() const { return lane_; }
  const TopicId& topic_id() const { return topic_id_; }
  TargetOffset target_end() const { return target_end_; }
  LeadershipEpoch target_epoch() const { return target_epoch_; }  // of the leader that wrote our marker
  TargetState state() const;

  bool queued = false;  // in the queue of lane()

  // --- sending
  // Takes a batch from the pump, unless one is held already; null: there is none, or too many are on their way. The
  // pump's bare news of the source's state is answered at once: a Kafka target has no place for it.
  const BatchHeader* take_next(size_t in_flight_max);
  // The held batch begins a new anchor: none is written yet, a gap or another epoch is before the batch, or the current
  // anchor would cover more than `anchor_records_max` records.
  bool needs_anchor(int32_t anchor_records_max) const;
  RelayAnchor anchor_for_next() const;
  void use_anchor(const RelayAnchor& written);
  // Makes the held batch ours and counts it as on its way; returns its bytes.
  SliceList stamp(uint64_t flight_id);
  bool idle() const { return flights_.empty(); }
  size_t flights() const { return flights_.size(); }

  // --- answers
  Flight* flight(uint64_t id);  // null: it is not on its way any more
  // The oldest flight, if the target has acknowledged it. Flights are handed on in their order.
  std::optional<Acknowledged> pop_acknowledged();

  // The source's log begins at `to`. Continues there if the target's end is still the one that the pump got last.
  // Otherwise the pump must first get the target's new end.
  void advance(SourceOffset to);

 private:
  PartitionPump* pump_;
  SinkTarget target_;
  uint64_t attempt_;
  bool open_ = false;
  SinkLane* lane_ = nullptr;
  TopicId topic_id_;
  kafka::ProducerIdentity producer_;
  LeadershipEpoch target_epoch_{-1};
  bool anchored_ = false;  // the next batch has an anchor, if it follows without a gap
  LogEpoch anchor_epoch_{-1};
  int64_t anchor_records_ = 0;  // sent under the anchor
  int32_t next_sequence_ = 0;
  SourceOffset next_source_;  // the first source offset that was not sent
  SourceOffset acked_end_;
  LogEpoch acked_epoch_{-1};
  SourceOffset pump_end_;    // the end that the pump got last
  TargetOffset target_end_;  // at or above it there are no batches of ours, except those in flight
  std::deque<Flight> flights_;
  std::optional<Pumped> held_;  // the next batch, which waits for an anchor or for room
};

}  // namespace farshore::replicator
