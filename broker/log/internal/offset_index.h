// OffsetIndex: where the batches of one segment lie. One entry for a batch every index.interval.bytes: the last offset
// of the batch and the position of the batch in the segment file. Both ascend.
// Derived from the segment; the `.index` file has the same entries (FORMAT.md).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"

namespace farshore {

class OffsetIndex {
 public:
  struct Entry {
    uint32_t relative_offset = 0;  // to the segment's base offset
    uint32_t position = 0;         // bytes from the beginning of the segment file
  };
  explicit OffsetIndex(Offset base) : base_(base) {}

  void append(Offset last, uint64_t position);
  // The entry with the greatest offset <= `offset`.
  std::optional<Entry> at_or_below(Offset offset) const;
  // The entry with the greatest position <= `position`: a batch begins there.
  std::optional<Entry> at_or_before(uint64_t position) const;
  // Removes the entries of batches that hold `to` or a higher offset.
  void truncate_to(Offset to);
  Offset offset_of(const Entry& entry) const { return base_ + entry.relative_offset; }
  size_t size() const { return entries_.size(); }
  std::optional<Entry> last() const { return entries_.empty() ? std::nullopt : std::optional(entries_.back()); }

  std::string encode() const;
  static Entry decode_entry(std::string_view bytes);
  // kCorrupt: entries do not ascend, or lie outside a segment file of `log_bytes` bytes.
  static Result<OffsetIndex> decode(Offset base, std::string_view bytes, uint64_t log_bytes);

 private:
  Offset base_;
  std::vector<Entry> entries_;
};

}  // namespace farshore
