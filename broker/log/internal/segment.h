// Segment: one segment of the log: its files and its sizes. The active segment has its indexes in memory; those of a
// full one are in its files (IndexReader). A plain record, which SegmentSet keeps in order. Several coroutines hold it
// by SegmentPtr: a reader can still read the file of a segment that was removed meanwhile. Executor: the Env's.
#pragma once

#include <array>
#include <memory>
#include <optional>

#include "base/file.h"
#include "broker/log/internal/offset_index.h"
#include "broker/log/internal/time_index.h"
#include "broker/log/internal/txn_index.h"
#include "proto/batch/batch.h"

namespace farshore {

struct BatchPlace {
  Offset first, last;
  uint64_t position = 0;  // bytes from the beginning of the segment file
};

struct NewestRecord {
  int64_t timestamp_ms = -1;  // the largest of a segment; -1: no record has a timestamp
  Offset offset;              // last offset of the batch that has it
};

struct Segment {
  Segment(Offset base_offset, std::shared_ptr<File> log_file)
      : base(base_offset), next(base_offset), file(std::move(log_file)), index(base_offset), times(base_offset) {}

  // Counts a batch at the end of the segment: size, indexes, timestamps, the last places. The batch was just written
  // there, or a scan found it there.
  void note(const BatchHeader& header, uint64_t index_interval_bytes);
  // The place of the first batch that ends at or above `offset`. nullopt: it is not among the last batches noted.
  std::optional<BatchPlace> find_in_tail(Offset offset) const;
  // Forgets everything that note() counted, so that a scan can count again.
  void forget();
  // Adds the last entry of the time index. Kafka does so, too, when a segment ends.
  void finish_times() {
    if (newest) times.append(newest->timestamp_ms, newest->offset);
  }
  // The index files have every entry: memory need not. Also forgets the open index files, which may be older.
  void leave_indexes_to_files();

  Offset base;  // also the name of the files
  Offset next;  // the offset after the last batch
  std::shared_ptr<File> file;
  uint64_t size = 0;  // bytes of whole batches; the file may be longer while an append is running

  bool indexes_in_memory = false;  // false: `index` and `times` are empty, the entries are in the files
  OffsetIndex index;
  TimeIndex times;
  std::shared_ptr<File> offset_file, time_file;  // null: not opened yet
  std::optional<TxnIndex> txns;                  // nullopt: not loaded
  uint64_t bytes_since_index = 0;                // bytes after the last entry of `index`

  // Of a full segment, ask BatchLocator::newest(): unknown until somebody looks into the time index.
  std::optional<NewestRecord> newest;  // nullopt: not known
  int64_t first_timestamp_ms = -1;     // of the first batch; for segment.ms
  int64_t created_ms = 0;              // wall clock when this process created or opened the segment

  uint64_t synced_size = 0;    // everything below is durable
  bool name_synced = false;    // the directory was synced after the file was created
  bool indexes_dirty = false;  // the index files were written after they were last synced
  uint64_t index_writes = 0;   // how often they were written: a write during a sync is not synced
  void note_index_write() {
    indexes_dirty = true;
    ++index_writes;
  }

 private:
  static constexpr size_t kTail = 32;
  std::array<BatchPlace, kTail> tail_{};
  uint64_t tail_count_ = 0;  // batches ever noted
  bool tail_whole_ = true;   // the first batch noted is the first of the segment
};

using SegmentPtr = std::shared_ptr<Segment>;

}  // namespace farshore
