// IndexReader: looks into the `.index` and `.timeindex` files of one segment by binary search. The entries of a full
// segment stay in its files: an index takes up to 5 MiB for each GiB of small batches, so indexes in memory would grow
// with the disk. A segment whose indexes are in memory (the active one) is asked there.
// What is found is a hint: an entry may be wrong, so the caller compares it with the batch that it names.
// Errors: kNotFound and kCorrupt (the files must be made again, see BatchLocator::rebuild_indexes), kIo.
// Executor: the Env's.
#pragma once

#include <functional>
#include <optional>

#include "broker/log/internal/segment_files.h"

namespace farshore {

class IndexReader {
 public:
  explicit IndexReader(SegmentFiles& files) : files_(files) {}

  using OffsetEntry = std::optional<OffsetIndex::Entry>;
  using TimeEntry = std::optional<TimeIndex::Entry>;

  // The entry with the greatest offset <= `offset`; with the greatest position <= `position`; the last entry.
  Task<Result<OffsetEntry>> at_or_below(SegmentPtr segment, Offset offset);
  Task<Result<OffsetEntry>> at_or_before(SegmentPtr segment, uint64_t position);
  Task<Result<OffsetEntry>> last(SegmentPtr segment);
  // The entry with the greatest timestamp <= `timestamp_ms`; the last entry, which has the segment's largest timestamp.
  Task<Result<TimeEntry>> time_at_or_below(SegmentPtr segment, int64_t timestamp_ms);
  Task<Result<TimeEntry>> last_time(SegmentPtr segment);

 private:
  Task<Result<OffsetEntry>> find_offset(SegmentPtr segment, std::function<bool(const OffsetIndex::Entry&)> reaches);
  Task<Result<TimeEntry>> find_time(SegmentPtr segment, int64_t timestamp_ms);

  SegmentFiles& files_;
};

}  // namespace farshore
