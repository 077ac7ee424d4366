#include "broker/log/internal/key_offsets.h"

#include <algorithm>

#include "base/ensure.h"

namespace farshore {
namespace {

constexpr size_t kEntriesMin = 4;

}  // namespace

KeyOffsets::KeyOffsets(Env& env, TxnHistory& txns, Offset from, size_t bytes_max, uint64_t keys_max)
    : env_(env),
      txns_(txns),
      hash_(env.random()),
      from_(from),
      end_(from),
      capacity_(
          std::clamp<size_t>(keys_max + keys_max / 2, kEntriesMin, std::max(bytes_max / sizeof(Entry), kEntriesMin))),
      entries_(static_cast<Entry*>(std::calloc(capacity_, sizeof(Entry)))) {
  ensure(entries_ != nullptr, "there is memory for the cleaner's table (log.cleaner.dedupe.buffer.size)");
}

KeyOffsets::Entry* KeyOffsets::find(const KeyHash::Value& hash) const {
  auto at = static_cast<size_t>(static_cast<unsigned __int128>(hash.low) * capacity_ >> 64);
  while (entries_[at].offset_and_1 != 0 && !(entries_[at].hash == hash)) at = at + 1 == capacity_ ? 0 : at + 1;
  return &entries_[at];
}

bool KeyOffsets::put(std::string_view key, Offset offset) {
  const KeyHash::Value hash = hash_(key);
  Entry* entry = find(hash);
  if (entry->offset_and_1 == 0) {
    if (count_ >= capacity_ / 4 * 3) return false;
    ++count_;
    entry->hash = hash;
  }
  entry->offset_and_1 = offset.value() + 1;
  return true;
}

bool KeyOffsets::superseded(const Record& record) const {
  if (!record.key || record.offset >= end_) return false;
  return find(hash_(*record.key))->offset_and_1 > record.offset.value() + 1;
}

Task<Result<bool>> KeyOffsets::add(SegmentPtr segment) {
  BatchScanner scanner(env_, segment->file, 0, segment->size, BatchScanner::Check::kCrc);
  for (;;) {
    CO_TRY(auto batch, co_await scanner.next());
    if (!batch) break;
    const BatchHeader header = batch->header;
    if (header.last() < from_) continue;
    if (header.transactional() || header.control()) {
      CO_CHECK(co_await txns_.load());
      if (header.last() >= txns_.known_to()) co_return false;
    }
    if (header.record_count > 0 && !header.control() && !txns_.aborted(header)) {
      CO_TRY(bool fits, co_await add_batch(header, scanner));
      if (!fits) co_return false;
    }
    end_ = header.next();
  }
  end_ = std::max(end_, segment->next);
  co_return true;
}

Task<Result<bool>> KeyOffsets::add_batch(BatchHeader header, BatchScanner& scanner) {
  CO_TRY(auto bytes, co_await scanner.load());
  CO_TRY(auto reader, RecordReader::open(header, ConstBytes(bytes)));
  Record record;
  for (;;) {
    CO_TRY(bool more, reader.next(record));
    if (!more) co_return true;
    if (record.key && record.offset >= from_ && !put(*record.key, record.offset)) {
      end_ = record.offset;
      co_return false;
    }
    if (scanner.turn().spend(record.size_bytes)) co_await scanner.turn().next_turn();
  }
}

}  // namespace farshore
