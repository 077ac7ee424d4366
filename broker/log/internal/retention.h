// Retention: removes the beginning of the log: by the topic's retention settings, or because the owner raised the log
// start (DeleteRecords, a mirror that follows its source). The log start is raised durably before a segment is deleted.
// Executor: the Env's. Every caller holds the log's writer lock, or is opening the log.
#pragma once

#include "broker/log/internal/active_segment.h"

namespace farshore {

class Retention {
 public:
  Retention(LogState& state, LogDirectory& directory, LogHealth& health, BatchLocator& locator, ActiveSegment& active)
      : state_(state), directory_(directory), health_(health), locator_(locator), active_(active) {}

  // As Log::advance_log_start.
  Task<Status> advance_log_start(Offset to);
  // As Log::apply_retention.
  Task<Result<int>> apply();
  // Deletes the segments that lie wholly below the log start. Returns how many.
  Task<Result<int>> delete_segments_below_start();

 private:
  Task<Result<int>> raise_log_start(Offset to);
  Task<Result<Offset>> find_start(int64_t now_ms);
  bool expired(const Segment& segment, int64_t newest_ms, int64_t now_ms, uint64_t total_bytes) const;

  LogState& state_;
  LogDirectory& directory_;
  LogHealth& health_;
  BatchLocator& locator_;
  ActiveSegment& active_;
};

}  // namespace farshore
