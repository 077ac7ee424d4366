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
#include "replicator/relay/ownership.h"
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
    size_t batches = 1;  // of the source: more than one were merged
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
  void end_takeover(const RelayTakenOver& taken, MonoTime owned_until, SinkLane& lane);
  bool open() const { return open_; }
  void close();  // after an error: nothing more is sent, and answers to what is on its way are ignored

  SinkLane* lane() const { return lane_; }
  const TopicId& topic_id() const { return topic_id_; }
  TargetOffset target_end() const { return target_end_; }
  LeadershipEpoch target_epoch() const { return target_epoch_; }  // of the leader that wrote our marker
  TargetState state() const;

  // --- the ownership (ownership.h). While it is not confirmed, nothing is sent.
  OwnedPartition owned() const;
  void owned_until(MonoTime until) { owned_until_ = until; }
  bool owned_at(MonoTime now) const { return now < owned_until_; }

  bool queued = false;  // in the queue of lane()

  // --- sending
  // Takes a batch from the pump, unless one is held already; null: there is none, or too many are on their way. Several
  // small batches that wait become one (proto/batch/merge.h). The pump's bare news of the source's state is answered at
  // once: a Kafka target has no place for it. kCorrupt: the records of batches to be merged cannot be read.
  Result<const BatchHeader*> take_next(const RelaySinkOptions& options, SlabArena& arena);
  // The held batch begins a new anchor: none is written yet, a gap or another epoch is before the batch, or the current
  // anchor would cover more than `anchor_records_max` records.
  bool needs_anchor(int32_t anchor_records_max) const;
  RelayAnchor anchor_for_next() const;
  // For a held batch that carries_no_record(): an anchor that begins behind it.
  RelayAnchor anchor_behind_next() const;
  // Where the relay goes on, behind what others have written up to `target`. For a partition that is idle().
  RelayAnchor anchor_behind(TargetOffset target);
  void use_anchor(const RelayAnchor& written);
  // If the held batch carries_no_record(): goes on behind it, and returns what the pump is to be told.
  struct PassedOver {
    uint32_t generation = 0;
    AppendAck ack;
  };
  std::optional<PassedOver> pass_over();
  // Makes the held batch ours and counts it as on its way; returns its bytes.
  SliceList stamp(uint64_t flight_id);
  bool idle() const { return flights_.empty(); }
  size_t flights() const { return flights_.size(); }

  // --- answers
  Flight* flight(uint64_t id);  // null: it is not on its way any more
  // The oldest flight, if the target has acknowledged it. Flights are handed on in their order.
  std::optional<Acknowledged> pop_acknowledged();
  // The target has refused this flight: what that means. If the flight is the oldest, and was refused with this code
  // refusals_max times in a row, takeovers in between included, the error is final. After a refused merged batch, each
  // batch of it goes by itself, so that the target says which of them it refuses.
  Error refused(const Flight& flight, int16_t code, const std::optional<std::string>& message,
                const RelaySinkOptions& options);

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
  uint64_t session_ = 0;  // of its shard
  MonoTime owned_until_;
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
  struct Refusal {
    SourceOffset source{-1};
    int16_t code = 0;
    int times = 0;
  };
  AppendAck ack_of_nothing() const;
  bool may_merge(const RelaySinkOptions& options) const;
  void merge_nothing_below(SourceOffset end) { merge_from_ = std::max(merge_from_, end); }
  int count_refusal(const Flight& flight, int16_t code);  // in a row, of the oldest flight; 0: it is not the oldest
  SourceOffset merge_from_{0};
  size_t held_batches_ = 0;     // of the source, in held_
  Refusal refusal_;             // the last one
  std::optional<Pumped> held_;  // the next batch, which waits for an anchor or for room
};

}  // namespace farshore::replicator
