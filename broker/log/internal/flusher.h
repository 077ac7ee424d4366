// Flusher: makes appended batches durable. Concurrent callers share one sync (group commit). Order of a flush: segment
// files and their indexes, gap notes, the directory, leader epochs; then `flushed_end` rises and the recovery point is
// saved.
// Executor: the Env's. Needs no lock: appends go on while a flush runs.
#pragma once

#include <vector>

#include "base/event.h"
#include "broker/log/internal/log_directory.h"
#include "broker/log/internal/log_health.h"
#include "broker/log/internal/log_state.h"

namespace farshore {

class Flusher {
 public:
  Flusher(LogState& state, LogDirectory& directory, LogHealth& health);

  // Completes when everything below the current end is durable, or was truncated; the indexes of full segments, too:
  // below the recovery point, opening believes them. kIo: the log is dead. kNoSpace: the epoch file could not be
  // written; try again.
  Task<Status> flush();
  // Makes everything durable and empties the gap notes. The caller holds the writer lock. Errors as flush(), and
  // kUnavailable.
  Task<Status> forget_gaps();

 private:
  bool has_dirty_index(Offset below) const;
  Task<Status> pass();
  Task<Status> sync_segments(std::vector<SegmentPtr> dirty, uint64_t generation);
  Task<void> save_recovery_point();

  LogState& state_;
  LogDirectory& directory_;
  LogHealth& health_;
  bool running_ = false;
  Notifier pass_ended_;
};

}  // namespace farshore
