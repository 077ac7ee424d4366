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

Task<Result<bool>> SegmentRewriter::rewrite(std::vector<SegmentPtr> group, SegmentPtr cleaned) {
  BatchWriter writer(cleaned->file);
  bool changed = false;
  for (const auto& segment : group) {
    BatchScanner scanner(env_, segment->file, 0, segment->size, BatchScanner::Check::kCrc);
    for (;;) {
      CO_TRY(auto batch, co_await scanner.next());
      if (!batch) break;
      CO_TRY(auto bytes, co_await scanner.load());
      const BatchHeader was = batch->header;
      CO_TRY(auto stays, co_await rewrite_batch(was, std::move(bytes), scanner.turn()));
      changed = changed || stays.empty();
      if (stays.empty()) continue;
      CO_TRY(auto header, BatchHeader::parse(stays));
      changed = changed || header.record_count != was.record_count || header.attributes != was.attributes;
      CO_CHECK(note(header, stays, *cleaned));
      CO_CHECK(co_await writer.add(std::move(stays)));
    }
  }
  CO_CHECK(co_await writer.flush());
  co_return changed;
}

Status SegmentRewriter::note(const BatchHeader& header, ConstBytes bytes, Segment& cleaned) {
  cleaned.note(header, settings_.index_interval_bytes);
  if (!header.control()) {
    kept_.apply(header);
    return ok();
  }
  auto marker = read_marker(header, bytes);
  if (!marker) return marker.error() == ErrorCode::kUnsupported ? ok() : Status(std::move(marker).error());
  auto done = kept_.apply_marker(header, *marker);
  kept_.on_high_watermark(header.next());
  if (done && done->aborted) cleaned.txns->append({{done->producer_id, done->first, done->last}, done->last_stable});
  return ok();
}

Task<Result<SegmentRewriter::Bytes>> SegmentRewriter::rewrite_batch(BatchHeader header, Bytes bytes, TurnBudget& turn) {
  if (header.first() >= keys_.end()) co_return bytes;
  if (header.control()) {
    auto marker = read_marker(header, ConstBytes(bytes));
    if (!marker && marker.error() != ErrorCode::kUnsupported) co_return std::move(marker).error();
    if (!marker) co_return bytes;  // it ends no transaction, and nothing is known about it
    co_return rewrite_marker(header, std::move(bytes));
  }
  if (header.transactional()) {
    CO_CHECK(co_await txns_.load());
    if (txns_.aborted(header)) co_return rewrite_aborted(header);
  }
  co_return co_await rewrite_records(header, std::move(bytes), turn);
}

Result<SegmentRewriter::Bytes> SegmentRewriter::rewrite_aborted(const BatchHeader& header) const {
  if (!is_last_of_producer(header)) return Bytes();
  BatchBuilder empty;
  empty.like(header);
  return empty.build();
}

// A marker without a batch of its transaction tells nothing, but a consumer may have read such a batch before it was
// removed: the marker stays for delete.retention.ms longer.
Result<SegmentRewriter::Bytes> SegmentRewriter::rewrite_marker(const BatchHeader& header, Bytes bytes) const {
  if (kept_.has_open_transaction(header.producer_id)) return bytes;
  if (header.has_delete_horizon()) {
    if (horizon_passed(header) && !is_last_of_producer(header)) return Bytes();
    return bytes;
  }
  BatchBuilder rewritten;
  rewritten.like(header).delete_horizon(settings_.delete_horizon_ms);
  Record record;
  FARSHORE_TRY(auto reader, RecordReader::open(header, ConstBytes(bytes)));
  FARSHORE_TRY(bool found, reader.next(record));
  if (found) rewritten.add_at(record.offset.value(), record.timestamp_ms, record.key, record.value, record.headers);
  return rewritten.build();
}

// Reads the records twice: the delete horizon is in the batch header, so it must be known before the first record is
// written.
Task<Result<SegmentRewriter::Bytes>> SegmentRewriter::rewrite_records(BatchHeader header, Bytes bytes,
                                                                      TurnBudget& turn) {
  const bool whole = header.last() < keys_.end();  // else later tombstones of the batch are not decided yet
  const bool tombstones_go = whole && horizon_passed(header);
  auto goes = [&](const Record& record) { return keys_.superseded(record) || (!record.value && tombstones_go); };
  bool has_tombstone = false, changed = false;
  Record record;
  CO_TRY(auto reader, RecordReader::open(header, ConstBytes(bytes)));
  for (;;) {
    CO_TRY(bool more, reader.next(record));
    if (!more) break;
    const bool gone = goes(record);
    changed |= gone;
    has_tombstone |= !gone && !record.value;
    if (turn.spend(record.size_bytes)) co_await turn.next_turn();
  }
  const bool set_horizon = whole && has_tombstone && !header.has_delete_horizon();
  if (!changed && !set_horizon) co_return bytes;

  BatchBuilder rewritten;
  rewritten.like(header);
  if (set_horizon) rewritten.delete_horizon(settings_.delete_horizon_ms);
  CO_TRY(auto second, RecordReader::open(header, ConstBytes(bytes)));
  for (;;) {
    CO_TRY(bool more, second.next(record));
    if (!more) break;
    if (!goes(record))
      rewritten.add_at(record.offset.value(), record.timestamp_ms, record.key, record.value, record.headers);
    if (turn.spend(record.size_bytes)) co_await turn.next_turn();
  }
  if (rewritten.record_count() == 0 && !is_last_of_producer(header)) co_return Bytes();
  co_return rewritten.build();
}

bool SegmentRewriter::horizon_passed(const BatchHeader& header) const {
  return header.has_delete_horizon() && header.base_timestamp <= settings_.now_ms;
}

bool SegmentRewriter::is_last_of_producer(const BatchHeader& header) const {
  return header.has_producer() && settings_.last_of_producers.contains(header.last());
}

}  // namespace farshore
