// Retention: removes the beginning of the log: by the topic's retention settings, or because the owner raised the log
// start (DeleteRecords, a mirror that follows its source). The log start is raised durably before a segment is deleted.
// Appends wait while the writer lock is held, and the removal of a large file takes its time: so one call under the
// lock deletes a few segments only, and what is left below the log start goes with later calls. Executor: the Env's.
// Every caller holds the log's writer lock, or is opening the log.
#pragma once

#include "broker/log/internal/active_segment.h"

namespace farshore {

class Retention {
 public:
  Retention(LogState& state, LogDirectory& directory, LogHealth& health, BatchLocator& locator, ActiveSegment& active)
      : state_(state), directory_(directory), health_(health), locator_(locator), active_(active) {}

  static constexpr int kDeletedByRaise = 8;  // segments, by one advance_log_start()
  static constexpr int kDeletedAtOnce = 1;   // by one apply() or go_on()

  // As Log::advance_log_start.
  Task<Status> advance_log_start(Offset to);
  // A part of Log::apply_retention: raises the log start, and begins to delete. Returns how many segments it deleted.
  Task<Result<int>> apply();
  // Segments that lie wholly below the log start are left.
  bool has_more() const;
  // Deletes some of them. Returns how many.
  Task<Result<int>> go_on(int segments_max = kDeletedAtOnce);

 private:
  Task<Status> raise_log_start(Offset to);
  Task<Result<Offset>> find_start(int64_t now_ms);
  bool expired(const Segment& segment, int64_t newest_ms, int64_t now_ms, uint64_t total_bytes) const;

  LogState& state_;
  LogDirectory& directory_;
  LogHealth& health_;
  BatchLocator& locator_;
  ActiveSegment& active_;
};

}  // namespace farshore
