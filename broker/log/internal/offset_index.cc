#include "broker/log/internal/offset_index.h"

#include <algorithm>

#include "base/ensure.h"

#include "broker/log/internal/index_codec.h"
#include "broker/log/internal/log_format.h"

namespace farshore {

using namespace log_format;

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
  std::string bytes(entries_.size() * kOffsetEntryBytes, '\0');
  auto* at = reinterpret_cast<std::byte*>(bytes.data());
  for (const auto& entry : entries_) {
    store_be(at, entry.relative_offset);
    store_be(at + 4, entry.position);
    at += kOffsetEntryBytes;
  }
  return bytes;
}

OffsetIndex::Entry OffsetIndex::decode_entry(std::string_view bytes) {
  return {load_be_at<uint32_t>(bytes, 0), load_be_at<uint32_t>(bytes, 4)};
}

Result<OffsetIndex> OffsetIndex::decode(Offset base, std::string_view bytes, uint64_t log_bytes) {
  if (bytes.size() % kOffsetEntryBytes) return corrupt_index("offset", "a cut entry", bytes.size() / kOffsetEntryBytes);
  OffsetIndex index(base);
  index.entries_.reserve(bytes.size() / kOffsetEntryBytes);
  for (size_t at = 0; at < bytes.size(); at += kOffsetEntryBytes) {
    size_t i = at / kOffsetEntryBytes;
    const Entry entry = decode_entry(bytes.substr(at, kOffsetEntryBytes));
    if (entry.relative_offset == 0 && entry.position == 0 && all_zero(bytes.substr(at))) break;
    if (entry.relative_offset > kSegmentOffsetsMax) return corrupt_index("offset", "an offset beyond the segment", i);
    if (entry.position >= log_bytes) return corrupt_index("offset", "a position beyond the log", i);
    if (!index.entries_.empty() && (entry.relative_offset <= index.entries_.back().relative_offset ||
                                    entry.position <= index.entries_.back().position))
      return corrupt_index("offset", "not ascending", i);
    index.entries_.push_back(entry);
  }
  return index;
}

}  // namespace farshore
