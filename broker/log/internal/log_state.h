// LogState: what one log knows in memory: its segments, its offsets, its epochs and its producers. It reads and writes
// no file. The objects that do (ActiveSegment, Flusher, Truncator, ...) share it.
//
// Who changes it holds the log's writer lock. Two exceptions: the high watermark is set by the log's owner at any time,
// and `flushed_end` rises when a flush ends.
// Executor: the Env's.
#pragma once

#include <string>

#include "broker/log/internal/checkpoint_file.h"
#include "broker/log/internal/leader_epochs.h"
#include "broker/log/internal/producer_state.h"
#include "broker/log/internal/segment_set.h"
#include "broker/log/log.h"

namespace farshore {

class LogState {
 public:
  LogState(Env& env, FileSystem& files, std::string directory, LogOptions log_options)
      : options(log_options), epochs(env, files, std::move(directory)), producers(log_options.producers_max) {}

  LogEnds ends() const;
  Offset bound(ReadBound bound) const;  // where a read must end
  LogEpoch epoch_at(Offset offset) const;
  // What a checkpoint written now says.
  PartitionCheckpoint checkpoint() const;

  // Rises only, up to `end`.
  void raise_high_watermark(Offset to);
  // The log ends with `kept`, a copy of one of its segments that holds fewer batches. `at_end` are the producers there.
  // Returns the base offsets of the segments that went.
  std::vector<Offset> cut_to(SegmentPtr kept, ProducerState at_end);
  // The log is empty and starts at `start`; the segments, epochs and producers are cleared apart.
  void restart_at(Offset start);
  void clear_contents();

  LogOptions options;
  LogRecovery report;  // what opening found, and what was rebuilt since
  SegmentSet segments;
  LeaderEpochs epochs;
  ProducerState producers;
  // As in LogEnds. `cleaned_to`: the cleaner has read everything below it. `compacted_to`: see Log::compacted_to.
  Offset log_start, end, flushed_end, high_watermark, cleaned_to, compacted_to;
};

}  // namespace farshore
