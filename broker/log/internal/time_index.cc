#include "broker/log/internal/time_index.h"

#include <algorithm>

#include "broker/log/internal/index_codec.h"
#include "broker/log/internal/log_format.h"

namespace farshore {

using namespace log_format;

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
  std::string bytes(entries_.size() * kTimeEntryBytes, '\0');
  auto* at = reinterpret_cast<std::byte*>(bytes.data());
  for (const auto& entry : entries_) {
    store_be(at, entry.timestamp_ms);
    store_be(at + 8, static_cast<int32_t>(entry.offset - base_));
    at += kTimeEntryBytes;
  }
  return bytes;
}

TimeIndex::Entry TimeIndex::decode_entry(Offset base, std::string_view bytes) {
  return {load_be_at<int64_t>(bytes, 0), base + load_be_at<int32_t>(bytes, 8)};
}

Result<TimeIndex> TimeIndex::decode(Offset base, std::string_view bytes, Offset next) {
  if (bytes.size() % kTimeEntryBytes) return corrupt_index("time", "a cut entry", bytes.size() / kTimeEntryBytes);
  TimeIndex index(base);
  for (size_t at = 0; at < bytes.size(); at += kTimeEntryBytes) {
    size_t i = at / kTimeEntryBytes;
    const Entry entry = decode_entry(base, bytes.substr(at, kTimeEntryBytes));
    if (entry.timestamp_ms == 0 && entry.offset == base && all_zero(bytes.substr(at))) break;
    if (entry.offset < base || entry.offset >= next) return corrupt_index("time", "an offset beyond the segment", i);
    if (entry.timestamp_ms < 0) return corrupt_index("time", "a negative timestamp", i);
    if (!index.entries_.empty() &&
        (entry.timestamp_ms <= index.entries_.back().timestamp_ms || entry.offset <= index.entries_.back().offset))
      return corrupt_index("time", "not ascending", i);
    index.entries_.push_back(entry);
  }
  return index;
}

}  // namespace farshore
