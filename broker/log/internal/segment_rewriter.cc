#include "broker/log/internal/segment_rewriter.h"

#include "broker/log/internal/batch_scanner.h"

namespace farshore {
namespace {

constexpr size_t kWriteBytes = 1 << 20;

// Appends batches to a file in large writes.
class BatchWriter {
 public:
  explicit BatchWriter(std::shared_ptr<File> file) : file_(std::move(file)) {}
  Task<Status> add(std::vector<std::byte> batch) {
    buffer_.insert(buffer_.end(), batch.begin(), batch.end());
    if (buffer_.size() < kWriteBytes) co_return ok();
    co_return co_await flush();
  }
  Task<Status> flush() {
    ConstBytes piece(buffer_);
    if (!buffer_.empty()) CO_CHECK(co_await file_->write_at(written_, ConstBytesList(&piece, 1)));
    written_ += buffer_.size();
    buffer_.clear();
    co_return ok();
  }

 private:
  std::shared_ptr<File> file_;
  std::vector<std::byte> buffer_;
  uint64_t written_ = 0;
};

}  // namespace

Task<Status> SegmentRewriter::rewrite(std::vector<SegmentPtr> group, SegmentPtr cleaned) const {
  BatchWriter writer(cleaned->file);
  for (const auto& segment : group) {
    BatchScanner scanner(segment->file, 0, segment->size, BatchScanner::Check::kCrc);
    for (;;) {
      CO_TRY(auto batch, co_await scanner.next());
      if (!batch) break;
      CO_TRY(auto bytes, co_await scanner.load());
      CO_TRY(auto kept, rewrite_batch(batch->header, std::move(bytes)));
      if (kept.empty()) continue;
      CO_TRY(auto header, BatchHeader::parse(kept));
      cleaned->note(header, settings_.index_interval_bytes);
      CO_CHECK(co_await writer.add(std::move(kept)));
    }
  }
  co_return co_await writer.flush();
}

// Reads the records twice: the delete horizon is in the batch header, so it must be known before the first record is
// written.
Result<std::vector<std::byte>> SegmentRewriter::rewrite_batch(const BatchHeader& header,
                                                              std::vector<std::byte> bytes) const {
  const bool tombstones_go = header.has_delete_horizon() && header.base_timestamp <= settings_.now_ms;
  auto goes = [&](const Record& record) { return keys_.superseded(record) || (!record.value && tombstones_go); };
  bool has_tombstone = false, changed = false;
  Record record;
  FARSHORE_TRY(auto reader, RecordReader::open(header, ConstBytes(bytes)));
  for (;;) {
    FARSHORE_TRY(bool more, reader.next(record));
    if (!more) break;
    const bool gone = goes(record);
    changed |= gone;
    has_tombstone |= !gone && !record.value;
  }
  const bool set_horizon = has_tombstone && !header.has_delete_horizon();
  if (!changed && !set_horizon) return bytes;

  BatchBuilder rewritten;
  rewritten.like(header);
  if (set_horizon) rewritten.delete_horizon(settings_.delete_horizon_ms);
  FARSHORE_TRY(auto second, RecordReader::open(header, ConstBytes(bytes)));
  for (;;) {
    FARSHORE_TRY(bool more, second.next(record));
    if (!more) break;
    if (!goes(record))
      rewritten.add_at(record.offset.value(), record.timestamp_ms, record.key, record.value, record.headers);
  }
  if (rewritten.record_count() == 0 && !is_last_of_producer(header)) return std::vector<std::byte>();
  return rewritten.build();
}

bool SegmentRewriter::is_last_of_producer(const BatchHeader& header) const {
  auto last = settings_.last_of_producer.find(header.producer_id);
  return header.has_producer() && last != settings_.last_of_producer.end() && last->second == header.last();
}

}  // namespace farshore
