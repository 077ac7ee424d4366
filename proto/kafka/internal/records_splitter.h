// RecordsSplitter: cuts the `records` field of one partition into whole batches while its bytes arrive, and hands them
// to the visitor as slices of the slabs in which they were received. Executor: that of the slabs.
#pragma once

#include <optional>

#include "base/budget.h"
#include "proto/batch/batch.h"
#include "proto/kafka/fetch_stream.h"
#include "proto/kafka/internal/arriving_bytes.h"

namespace farshore::kafka {

class RecordsSplitter {
 public:
  // `budget` may be null. References must outlive it.
  RecordsSplitter(ArrivingBytes& bytes, Budget* budget, FetchVisitor& visitor, size_t batch_bytes_max)
      : bytes_(bytes), budget_(budget), visitor_(visitor), batch_bytes_max_(batch_bytes_max) {}

  // A field of `size` bytes begins at the front of the arriving bytes.
  void begin(size_t size);
  // How many more bytes decide something; at least 1.
  size_t bytes_wanted() const;
  // Hands out the whole batches. kGoOn: the field is consumed.
  DecodeStep step();
  // Of the last field: bytes of a batch that the broker cut off at its size limit.
  size_t cut_bytes() const { return cut_bytes_; }

 private:
  enum class Found : uint8_t { kBatch, kNeedMore, kNoBatch };
  Found next_header();
  void flush_run();
  size_t unsplit() const { return left_ - run_bytes_; }                            // of the field, behind run_
  size_t here() const { return std::min(bytes_.size() - run_bytes_, unsplit()); }  // of these, received

  ArrivingBytes& bytes_;
  Budget* const budget_;
  FetchVisitor& visitor_;
  const size_t batch_bytes_max_;
  size_t left_ = 0;  // bytes of the field that are not consumed, pending ones included
  size_t cut_bytes_ = 0;
  bool skipping_ = false;              // the rest of the field holds no whole batch
  std::optional<BatchHeader> header_;  // of the batch behind run_, if it was read
  BatchRun run_;                       // whole batches that were not handed out; they are at the front of bytes_
  size_t run_bytes_ = 0;
};

}  // namespace farshore::kafka
