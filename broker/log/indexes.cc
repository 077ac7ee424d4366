#include "broker/log/indexes.h"

#include <algorithm>

#include "broker/log/log_format.h"

namespace farshore {
namespace {

using namespace log_format;

Error corrupt(std::string_view index, std::string_view what, size_t entry) {
  return {ErrorCode::kCorrupt,
          std::string(index) + " index: " + std::string(what) + " at entry " + std::to_string(entry)};
}

template <class T>
T load_text(std::string_view bytes, size_t at) {
  return load_be<T>(as_bytes(bytes).data() + at);
}

template <class T>
void append_be(std::string& text, T value) {
  std::array<std::byte, sizeof(T)> raw;
  store_be(raw.data(), value);
  text.append(as_text(raw));
}

// Kafka grows index files ahead and leaves zeros behind when it is killed.
bool all_zero(std::string_view bytes) { return bytes.find_first_not_of('\0') == std::string_view::npos; }

}  // namespace

void OffsetIndex::append(Offset last, uint64_t position) {
  int64_t relative = last - base_;
  ensure(relative >= 0 && relative <= kSegmentOffsetsMax && position <= static_cast<uint64_t>(kSegmentBytesMax),
         "a segment rolls before its index entries overflow");
  entries_.push_back({static_cast<uint32_t>(relative), static_cast<uint32_t>(position)});
}

std::optional<OffsetIndex::Entry> OffsetIndex::at_or_below(Offset offset) const {
  int64_t relative = offset - base_;
  auto after = std::upper_bound(entries_.begin(), entries_.end(), relative,
                                [](int64_t value, const Entry& e) { return value < int64_t{e.relative_offset}; });
  if (after == entries_.begin()) return std::nullopt;
  return *std::prev(after);
}

std::optional<OffsetIndex::Entry> OffsetIndex::at_or_before(uint64_t position) const {
  auto after = std::upper_bound(entries_.begin(), entries_.end(), position,
                                [](uint64_t value, const Entry& e) { return value < e.position; });
  if (after == entries_.begin()) return std::nullopt;
  return *std::prev(after);
}

void OffsetIndex::truncate_to(Offset to) {
  while (!entries_.empty() && offset_of(entries_.back()) >= to) entries_.pop_back();
}

std::string OffsetIndex::encode() const {
  std::string bytes;
  bytes.reserve(entries_.size() * kOffsetEntryBytes);
  for (const auto& entry : entries_) {
    append_be(bytes, entry.relative_offset);
    append_be(bytes, entry.position);
  }
  return bytes;
}

Result<OffsetIndex> OffsetIndex::decode(Offset base, std::string_view bytes, uint64_t log_bytes) {
  if (bytes.size() % kOffsetEntryBytes) return corrupt("offset", "a cut entry", bytes.size() / kOffsetEntryBytes);
  OffsetIndex index(base);
  index.entries_.reserve(bytes.size() / kOffsetEntryBytes);
  for (size_t at = 0; at < bytes.size(); at += kOffsetEntryBytes) {
    size_t i = at / kOffsetEntryBytes;
    Entry entry{load_text<uint32_t>(bytes, at), load_text<uint32_t>(bytes, at + 4)};
    if (entry.relative_offset == 0 && entry.position == 0 && all_zero(bytes.substr(at))) break;
    if (entry.relative_offset > kSegmentOffsetsMax) return corrupt("offset", "an offset beyond the segment", i);
    if (entry.position >= log_bytes) return corrupt("offset", "a position beyond the log", i);
    if (!index.entries_.empty() && (entry.relative_offset <= index.entries_.back().relative_offset ||
                                    entry.position <= index.entries_.back().position))
      return corrupt("offset", "not ascending", i);
    index.entries_.push_back(entry);
  }
  return index;
}

void TimeIndex::append(int64_t timestamp_ms, Offset offset) {
  if (timestamp_ms < 0 || (!entries_.empty() && timestamp_ms <= entries_.back().timestamp_ms)) return;
  entries_.push_back({timestamp_ms, offset});
}

std::optional<TimeIndex::Entry> TimeIndex::at_or_below(int64_t timestamp_ms) const {
  auto after = std::upper_bound(entries_.begin(), entries_.end(), timestamp_ms,
                                [](int64_t value, const Entry& e) { return value < e.timestamp_ms; });
  if (after == entries_.begin()) return std::nullopt;
  return *std::prev(after);
}

void TimeIndex::truncate_to(Offset to) {
  while (!entries_.empty() && entries_.back().offset >= to) entries_.pop_back();
}

std::string TimeIndex::encode() const {
  std::string bytes;
  bytes.reserve(entries_.size() * kTimeEntryBytes);
  for (const auto& entry : entries_) {
    append_be(bytes, entry.timestamp_ms);
    append_be(bytes, static_cast<int32_t>(entry.offset - base_));
  }
  return bytes;
}

Result<TimeIndex> TimeIndex::decode(Offset base, std::string_view bytes, Offset next) {
  if (bytes.size() % kTimeEntryBytes) return corrupt("time", "a cut entry", bytes.size() / kTimeEntryBytes);
  TimeIndex index(base);
  for (size_t at = 0; at < bytes.size(); at += kTimeEntryBytes) {
    size_t i = at / kTimeEntryBytes;
    auto relative = load_text<int32_t>(bytes, at + 8);
    Entry entry{load_text<int64_t>(bytes, at), base + relative};
    if (entry.timestamp_ms == 0 && relative == 0 && all_zero(bytes.substr(at))) break;
    if (relative < 0 || entry.offset >= next) return corrupt("time", "an offset beyond the segment", i);
    if (entry.timestamp_ms < 0) return corrupt("time", "a negative timestamp", i);
    if (!index.entries_.empty() &&
        (entry.timestamp_ms <= index.entries_.back().timestamp_ms || entry.offset <= index.entries_.back().offset))
      return corrupt("time", "not ascending", i);
    index.entries_.push_back(entry);
  }
  return index;
}

bool TxnIndex::collect(Offset from, Offset to, std::vector<AbortedTxn>& into) const {
  for (const auto& entry : entries_) {
    if (entry.txn.last >= from && entry.txn.first < to) into.push_back(entry.txn);
    if (entry.last_stable >= to) return true;
  }
  return false;
}

void TxnIndex::truncate_to(Offset to) {
  while (!entries_.empty() && entries_.back().txn.last >= to) entries_.pop_back();
}

std::string TxnIndex::encode() const {
  std::string bytes;
  for (const auto& entry : entries_) {
    append_be(bytes, kTxnIndexVersion);
    append_be(bytes, entry.txn.producer_id);
    append_be(bytes, entry.txn.first.value());
    append_be(bytes, entry.txn.last.value());
    append_be(bytes, entry.last_stable.value());
  }
  return bytes;
}

Result<TxnIndex> TxnIndex::decode(std::string_view bytes, Offset base, Offset next) {
  if (bytes.size() % kTxnEntryBytes) return corrupt("transaction", "a cut entry", bytes.size() / kTxnEntryBytes);
  TxnIndex index;
  for (size_t at = 0; at < bytes.size(); at += kTxnEntryBytes) {
    size_t i = at / kTxnEntryBytes;
    if (load_text<int16_t>(bytes, at) != kTxnIndexVersion) return corrupt("transaction", "an unknown version", i);
    Entry entry;
    entry.txn.producer_id = load_text<int64_t>(bytes, at + 2);
    entry.txn.first = Offset(load_text<int64_t>(bytes, at + 10));
    entry.txn.last = Offset(load_text<int64_t>(bytes, at + 18));
    entry.last_stable = Offset(load_text<int64_t>(bytes, at + 26));
    if (entry.txn.producer_id < 0 || entry.txn.first < Offset(0) || entry.txn.first > entry.txn.last ||
        entry.txn.last < base || entry.txn.last >= next || entry.last_stable > entry.txn.last + 1)
      return corrupt("transaction", "impossible offsets", i);
    if (!index.entries_.empty() && entry.txn.last <= index.entries_.back().txn.last)
      return corrupt("transaction", "not ascending", i);
    index.entries_.push_back(entry);
  }
  return index;
}

}  // namespace farshore
