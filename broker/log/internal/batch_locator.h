// BatchLocator: finds where a batch lies in its segment, by the segment's indexes. An index entry is believed only if
// the segment has the batch that the entry names; otherwise the indexes are rebuilt from the segment.
// Executor: the Env's. Callers hold no lock; after every await they compare SegmentSet::generation().
#pragma once

#include <optional>
#include <string>

#include "broker/log/internal/index_reader.h"
#include "broker/log/internal/log_directory.h"
#include "broker/log/internal/log_health.h"
#include "broker/log/internal/log_state.h"

namespace farshore {

class BatchLocator {
 public:
  BatchLocator(LogState& state, LogDirectory& directory)
      : state_(state), directory_(directory), indexes_(directory.segments()) {}

  // The place of the first batch of `segment` that ends at or above `offset`. nullopt: there is none.
  Task<Result<std::optional<BatchPlace>>> locate(SegmentPtr segment, Offset offset);
  // The header of the batch that holds `offset`, or of the next batch in the log. nullopt: there is none.
  Task<Result<std::optional<BatchHeader>>> header_at(Offset offset);
  struct SliceEnd {
    uint64_t position = 0;
    Offset next;   // every batch before `position` ends below it
    SliceEnd() {}  // not an aggregate
    SliceEnd(uint64_t at, Offset above) : position(at), next(above) {}
  };
  // Where a slice of about `bytes_max` bytes that begins at `begin` ends: between two batches, at most at `limit`.
  Task<Result<SliceEnd>> slice_end(SegmentPtr segment, uint64_t begin, uint64_t bytes_max, SliceEnd limit);

  // The largest timestamp of the segment, and where it is.
  Task<Result<NewestRecord>> newest(SegmentPtr segment);
  // The entry of the time index with the greatest timestamp <= `timestamp_ms`.
  Task<Result<IndexReader::TimeEntry>> time_entry(SegmentPtr segment, int64_t timestamp_ms);
  IndexReader& indexes() { return indexes_; }
  // `why` goes into the log file and the recovery report.
  Task<Status> rebuild_indexes(SegmentPtr segment, std::string why);

 private:
  Task<Result<std::optional<BatchPlace>>> walk_to(SegmentPtr segment, Offset offset);

  LogState& state_;
  LogDirectory& directory_;
  IndexReader indexes_;
};

}  // namespace farshore
