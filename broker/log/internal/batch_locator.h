// BatchLocator: finds where a batch lies in its segment, by the segment's indexes. It loads the indexes of old segments
// when they are needed. An index entry is believed only if the segment has the batch that the entry names; otherwise
// the index is rebuilt from the segment.
// Executor: the Env's. Callers hold no lock; after every await they compare SegmentSet::generation().
#pragma once

#include <optional>
#include <string>

#include "broker/log/internal/log_directory.h"
#include "broker/log/internal/log_state.h"

namespace farshore {

class BatchLocator {
 public:
  BatchLocator(LogState& state, LogDirectory& directory) : state_(state), directory_(directory) {}

  // The place of the first batch of `segment` that ends at or above `offset`. nullopt: there is none.
  Task<Result<std::optional<BatchPlace>>> locate(SegmentPtr segment, Offset offset);
  // The header of the batch that holds `offset`, or of the next batch in the log. nullopt: there is none.
  Task<Result<std::optional<BatchHeader>>> header_at(Offset offset);
  // Where a slice of about `bytes_max` bytes that begins at `begin` ends: between two batches, at most at `limit`.
  Task<Result<uint64_t>> slice_end(SegmentPtr segment, uint64_t begin, uint64_t bytes_max, uint64_t limit);

  // Loads the offset and time index of the segment, or rebuilds them.
  Task<Status> ensure_indexes(SegmentPtr segment);
  // `why` goes into the log file and the recovery report.
  Task<Status> rebuild_indexes(SegmentPtr segment, std::string why);

 private:
  Task<Result<std::optional<BatchPlace>>> walk_to(SegmentPtr segment, Offset offset);

  LogState& state_;
  LogDirectory& directory_;
};

}  // namespace farshore
