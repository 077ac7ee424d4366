// ActiveSegment: the segment at the end of the log, where appends go. It writes their bytes, and rolls (begins a new
// segment) when the segment is full or old, or when offsets relative to its base would overflow.
// Executor: the Env's. Every caller holds the log's writer lock.
#pragma once

#include "base/gate.h"
#include "broker/log/internal/flusher.h"
#include "broker/log/internal/producer_snapshots.h"

namespace farshore {

class ActiveSegment {
 public:
  // `gate`: the log's. Background flushes after a roll run inside it.
  ActiveSegment(LogState& state, LogDirectory& directory, LogHealth& health, ProducerSnapshots& snapshots,
                Flusher& flusher, Gate& gate);

  // Rolls if the run does not belong into the segment any more.
  Task<Status> make_room_for(const BatchRun& run);
  // Writes the bytes after the last batch (page cache), and counts nothing. kNoSpace: nothing was written. kIo: the log
  // is dead.
  Task<Status> write(const BatchRun& run);
  // Begins a new segment at `base`, which is above the base of the current one. Refused (LogHealth): the old one stays
  // active. kIo: the log is dead.
  Task<Status> roll(Offset base);
  // See Flusher.
  Task<Status> forget_gaps() { return flusher_.forget_gaps(); }

 private:
  Task<Result<SegmentPtr>> begin_segment(SegmentPtr old, Offset base);
  bool is_full(const BatchRun& run) const;
  Task<Status> roll_over_gap(Offset base);
  Task<void> flush_in_background();

  LogState& state_;
  LogDirectory& directory_;
  LogHealth& health_;
  ProducerSnapshots& snapshots_;
  Flusher& flusher_;
  Gate& gate_;
};

}  // namespace farshore
