// TimeLookup: finds records of one log by their timestamp, with the time indexes of its segments.
// Executor: the Env's.
#pragma once

#include "broker/log/internal/batch_locator.h"

namespace farshore {

class TimeLookup {
 public:
  TimeLookup(LogState& state, LogDirectory& directory, BatchLocator& locator)
      : state_(state), directory_(directory), locator_(locator) {}

  // What a lookup found.
  struct Answer {
    bool log_changed = false;             // bytes were removed or replaced meanwhile: ask again
    std::optional<OffsetAndTime> record;  // nullopt: there is no such record
    Answer() {}                           // not an aggregate
  };
  // The first record at or above the log start whose timestamp is at least `timestamp_ms`.
  Task<Result<Answer>> first_at_or_after(int64_t timestamp_ms);
  // The first record with the largest timestamp of all at or above the log start.
  Task<Result<Answer>> with_largest_timestamp();

 private:
  Task<Result<std::optional<OffsetAndTime>>> find_in(SegmentPtr segment, int64_t timestamp_ms);
  Task<Result<uint64_t>> search_start(SegmentPtr segment, int64_t timestamp_ms);
  // The largest timestamp in the segment of records at or above the log start; -1: none has one.
  Task<Result<int64_t>> newest_readable(SegmentPtr segment);
  Task<Result<int64_t>> newest_from_log_start(SegmentPtr segment);

  LogState& state_;
  LogDirectory& directory_;
  BatchLocator& locator_;
};

}  // namespace farshore
