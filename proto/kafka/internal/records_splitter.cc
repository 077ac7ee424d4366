#include "proto/kafka/internal/records_splitter.h"

#include <utility>

namespace farshore::kafka {

void RecordsSplitter::begin(size_t size) {
  left_ = size;
  cut_bytes_ = 0;
  skipping_ = false;
}

size_t RecordsSplitter::bytes_wanted() const {
  size_t next = skipping_ ? left_ : run_bytes_ + (header_ ? header_->size_bytes() : kBatchHeaderBytes);
  next = std::min(next, left_);
  return next > bytes_.size() ? next - bytes_.size() : 1;
}

void RecordsSplitter::flush_run() {
  if (run_bytes_ == 0) return;
  run_.bytes = bytes_.front(run_bytes_);
  if (budget_) run_.budget = budget_->take(run_bytes_);
  bytes_.drop_front(run_bytes_);
  left_ -= run_bytes_;
  run_bytes_ = 0;
  visitor_.on_batches(std::exchange(run_, BatchRun()));
}

RecordsSplitter::Found RecordsSplitter::next_header() {
  if (unsplit() < kBatchHeaderBytes) return Found::kNoBatch;  // cut off by the broker
  if (here() < kBatchHeaderBytes) return Found::kNeedMore;
  std::byte bytes[kBatchHeaderBytes];
  bytes_.copy_out(run_bytes_, bytes);
  auto header = BatchHeader::parse(bytes);
  if (header && header->size_bytes() > batch_bytes_max_) {
    header = Error(farshore::ErrorCode::kResourceExhausted,
                   "batch of " + std::to_string(header->size_bytes()) + " bytes at offset " +
                       std::to_string(header->base_offset) + "; at most " + std::to_string(batch_bytes_max_));
  }
  if (!header) {
    flush_run();
    skipping_ = true;
    visitor_.on_bad_records(std::move(header).error());
    return Found::kNoBatch;
  }
  if (header->size_bytes() > unsplit()) return Found::kNoBatch;
  header_ = *header;
  visitor_.on_batch_header(*header_);
  return Found::kBatch;
}

DecodeStep RecordsSplitter::step() {
  while (!skipping_ && run_bytes_ < left_) {
    Found found = header_ ? Found::kBatch : next_header();
    if (found == Found::kNoBatch) break;
    if (found == Found::kNeedMore || here() < header_->size_bytes()) {
      flush_run();
      return DecodeStep::kNeedMore;
    }
    run_.batches.push_back(*header_);
    run_bytes_ += header_->size_bytes();
    header_.reset();
  }
  flush_run();
  if (!skipping_ && left_ > 0) {
    cut_bytes_ = left_;
    skipping_ = true;
  }
  const size_t skipped = std::min(left_, bytes_.size());
  if (skipped > 0) bytes_.drop_front(skipped);
  left_ -= skipped;
  return left_ > 0 ? DecodeStep::kNeedMore : DecodeStep::kGoOn;
}

}  // namespace farshore::kafka
