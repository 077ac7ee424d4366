#include "broker/log/internal/key_offsets.h"

#include "broker/log/internal/batch_scanner.h"

namespace farshore {
namespace {

constexpr size_t kEntryBytes = 64;  // of a map entry beside its key, roughly

}  // namespace

bool KeyOffsets::superseded(const Record& record) const {
  if (!record.key) return false;
  auto found = latest_.find(std::string(*record.key));
  return found != latest_.end() && found->second > record.offset;
}

Task<Result<bool>> KeyOffsets::add(SegmentPtr segment, Offset from) {
  BatchScanner scanner(segment->file, 0, segment->size, BatchScanner::Check::kCrc);
  for (;;) {
    CO_TRY(auto batch, co_await scanner.next());
    if (!batch) co_return true;
    const BatchHeader& header = batch->header;
    if (header.transactional() || header.control())
      co_return Error(ErrorCode::kUnsupported, parent_path(segment->file->path()) +
                                                   ": compaction of transactional batches (offset " +
                                                   std::to_string(header.base_offset) + ")");
    if (header.last() < from || header.record_count == 0) continue;
    CO_TRY(auto bytes, co_await scanner.load());
    CO_TRY(bool fits, add_batch(header, bytes));
    if (!fits) co_return false;
  }
}

Result<bool> KeyOffsets::add_batch(const BatchHeader& header, ConstBytes bytes) {
  FARSHORE_TRY(auto reader, RecordReader::open(header, bytes));
  Record record;
  for (;;) {
    FARSHORE_TRY(bool more, reader.next(record));
    if (!more) return true;
    if (!record.key) continue;
    auto [at, added] = latest_.insert_or_assign(std::string(*record.key), record.offset);
    if (added) bytes_ += at->first.size() + kEntryBytes;
    if (bytes_ > kBytesMax) return false;
  }
}

}  // namespace farshore
