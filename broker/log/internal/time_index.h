// TimeIndex: which timestamps lie where in one segment. An entry is the largest timestamp up to a point of the segment
// and the last offset of the batch that has it. Both ascend.
// Derived from the segment; the `.timeindex` file has the same entries (FORMAT.md).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"

namespace farshore {

class TimeIndex {
 public:
  struct Entry {
    int64_t timestamp_ms = -1;
    Offset offset;
  };
  explicit TimeIndex(Offset base) : base_(base) {}

  // Adds nothing if the timestamp is not larger than the last one.
  void append(int64_t timestamp_ms, Offset offset);
  // The entry with the greatest timestamp <= `timestamp_ms`.
  std::optional<Entry> at_or_below(int64_t timestamp_ms) const;
  void truncate_to(Offset to);
  std::optional<Entry> last() const { return entries_.empty() ? std::nullopt : std::optional(entries_.back()); }
  size_t size() const { return entries_.size(); }

  std::string encode() const;
  static Entry decode_entry(Offset base, std::string_view bytes);
  // kCorrupt: entries do not ascend, or name an offset outside [base, next).
  static Result<TimeIndex> decode(Offset base, std::string_view bytes, Offset next);

 private:
  Offset base_;
  std::vector<Entry> entries_;
};

}  // namespace farshore
