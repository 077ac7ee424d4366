// One segment: a log file and its indexes. A plain record that LogImpl keeps in order; what needs several awaits is a
// function beside it.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>

#include "base/env.h"
#include "broker/log/batch_scanner.h"
#include "broker/log/indexes.h"
#include "broker/log/producer_state.h"

namespace farshore {

// Where a batch lies.
struct BatchPlace {
  Offset first, last;
  uint64_t position = 0;
};

struct Segment {
  Segment(Offset base_offset, std::shared_ptr<File> log_file)
      : base(base_offset), next(base_offset), file(std::move(log_file)), index(base_offset), times(base_offset) {}

  // A batch was written at the end (or found there by a scan): sizes, indexes, timestamps, the tail.
  void note(const BatchHeader& header, uint64_t index_interval_bytes);
  // The place of the first batch that ends at or above `offset`, if it is among the last few noted.
  std::optional<BatchPlace> in_tail(Offset offset) const;
  // Forgets what note() made, to scan again.
  void forget();
  // The last entry of the time index, as Kafka writes it when a segment ends.
  void finish_times() { times.append(max_timestamp_ms, max_timestamp_offset); }

  Offset base;
  Offset next;  // after the last batch
  std::shared_ptr<File> file;
  uint64_t size = 0;  // bytes of whole batches; the file may be longer while an append is under way

  bool indexes_loaded = false;
  OffsetIndex index;
  TimeIndex times;
  std::optional<TxnIndex> txns;
  uint64_t bytes_since_index = 0;

  int64_t max_timestamp_ms = -1;
  Offset max_timestamp_offset;       // last offset of the batch that has it
  bool max_timestamp_known = false;  // false: an old segment that was not loaded yet
  int64_t first_timestamp_ms = -1;   // of the first batch; for segment.ms
  int64_t created_ms = 0;            // wall time when this process made or opened it

  uint64_t synced_size = 0;
  bool name_synced = false;
  bool indexes_dirty = false;  // written since the last sync of their files

 private:
  static constexpr size_t kTail = 32;
  std::array<BatchPlace, kTail> tail_{};
  uint64_t tail_count_ = 0;  // ever noted
  bool tail_whole_ = true;   // the first one noted is the first of the segment
};

// Writes the index files (page cache).
Task<Status> write_indexes(Env& env, std::string directory, std::shared_ptr<Segment> segment);
// Syncs the index files and the producer snapshot at the segment's base.
Task<Status> sync_indexes(Env& env, std::string directory, std::shared_ptr<Segment> segment);
// Loads offset and time index from their files. kCorrupt or kNotFound: they must be rebuilt.
Task<Status> load_indexes(Env& env, std::string directory, std::shared_ptr<Segment> segment);
// Removes the segment's files; the log file last, so that a crash leaves no orphan index that could be believed.
Task<Status> remove_segment_files(Env& env, std::string directory, Offset base);

// Scans the first `bytes` of a segment and makes sizes and all three indexes again. `producers` is the state at
// the segment's base; it is moved on. Stops at the first bad byte: `bad` then says why, and size and next are what is
// good. kIo only if the file cannot be read.
struct SegmentScan {
  SegmentScan() {}  // not an aggregate: Result could not tell one from an Error
  std::optional<Error> bad;
  std::vector<std::pair<LogEpoch, Offset>> epochs;  // first offset of each epoch seen
};
class ScanJudge {  // what a scan asks of each batch beyond its own bytes; an error is a bad byte
 public:
  virtual ~ScanJudge() = default;
  virtual Status check(const BatchHeader& header) = 0;
};
Task<Result<SegmentScan>> scan_segment(std::shared_ptr<Segment> segment, uint64_t bytes, BatchScanner::Check check,
                                       uint64_t index_interval_bytes, ProducerState* producers,
                                       ScanJudge* judge = nullptr);

// Writes a file whole (page cache only).
Task<Status> write_file(FileSystem& files, std::string path, std::string content, bool sync);

}  // namespace farshore
