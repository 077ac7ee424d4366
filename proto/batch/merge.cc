#include "proto/batch/merge.h"

#include <utility>

#include "proto/batch/builder.h"
#include "proto/batch/records.h"

namespace farshore {

namespace {

bool plain(const BatchHeader& batch) {
  return !batch.control() && !batch.transactional() && !batch.log_append_time() && !batch.has_delete_horizon() &&
         batch.contiguous();
}

}  // namespace

bool can_merge(const BatchHeader& last, const BatchHeader& next) {
  return plain(last) && plain(next) && last.next() == next.first() && last.epoch() == next.epoch() &&
         last.compression() == next.compression();
}

Result<BatchRun> merge_batches(BatchRun run, SlabArena& arena) {
  if (run.batches.size() == 1) return run;
  BatchHeader first = run.batches.front();
  first.producer_id = first.producer_epoch = -1;
  first.base_sequence = -1;
  BatchBuilder builder;
  builder.like(first);
  size_t begin = 0;
  for (const BatchHeader& header : run.batches) {
    FARSHORE_TRY(auto records, RecordReader::open(header, run.bytes, begin));
    begin += header.size_bytes();
    for (Record record;;) {
      FARSHORE_TRY(const bool more, records.next(record));
      if (!more) break;
      builder.add_at(record.offset.value(), record.timestamp_ms, record.key, record.value, record.headers);
    }
  }
  BatchRun merged = builder.build_run(arena);
  merged.budget = std::move(run.budget);
  return merged;
}

}  // namespace farshore
