// The three indexes of a segment, in memory. All are derived from the segment; their files hold the same entries
// (FORMAT.md). The active segment's grow here and are written when it rolls or closes.
#pragma once

#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/log/log.h"

namespace farshore {

// {last offset of a batch, its position}, for a batch every index_interval_bytes; both ascend.
class OffsetIndex {
 public:
  struct Entry {
    uint32_t relative_offset = 0;
    uint32_t position = 0;
  };
  explicit OffsetIndex(Offset base) : base_(base) {}

  void append(Offset last, uint64_t position);
  // The entry with the greatest offset <= `offset`.
  std::optional<Entry> at_or_below(Offset offset) const;
  // The entry with the greatest position <= `position`: a batch begins there.
  std::optional<Entry> at_or_before(uint64_t position) const;
  // Drops the entries of batches that hold `to` or more.
  void truncate_to(Offset to);
  Offset offset_of(const Entry& entry) const { return base_ + entry.relative_offset; }
  size_t size() const { return entries_.size(); }
  const std::optional<Entry> last() const { return entries_.empty() ? std::nullopt : std::optional(entries_.back()); }

  std::string encode() const;
  // kCorrupt: entries that do not ascend, or lie outside a log of `log_bytes`.
  static Result<OffsetIndex> decode(Offset base, std::string_view bytes, uint64_t log_bytes);

 private:
  Offset base_;
  std::vector<Entry> entries_;
};

// {largest timestamp so far, last offset of the batch that has it}; both ascend.
class TimeIndex {
 public:
  struct Entry {
    int64_t timestamp_ms = -1;
    Offset offset;
  };
  explicit TimeIndex(Offset base) : base_(base) {}

  // Ignored unless the timestamp is larger than the last one.
  void append(int64_t timestamp_ms, Offset offset);
  // The entry with the greatest timestamp <= `timestamp_ms`.
  std::optional<Entry> at_or_below(int64_t timestamp_ms) const;
  void truncate_to(Offset to);
  std::optional<Entry> last() const { return entries_.empty() ? std::nullopt : std::optional(entries_.back()); }
  size_t size() const { return entries_.size(); }

  std::string encode() const;
  static Result<TimeIndex> decode(Offset base, std::string_view bytes, Offset next);

 private:
  Offset base_;
  std::vector<Entry> entries_;
};

// Aborted transactions whose marker is in the segment, in marker order.
class TxnIndex {
 public:
  struct Entry {
    AbortedTxn txn;
    Offset last_stable;  // after the marker was appended
  };
  void append(const Entry& entry) { entries_.push_back(entry); }
  // Adds those that overlap [from, to). True: no later segment can have more.
  bool collect(Offset from, Offset to, std::vector<AbortedTxn>& into) const;
  void truncate_to(Offset to);
  const std::vector<Entry>& entries() const { return entries_; }

  std::string encode() const;
  // kCorrupt: a wrong version, markers outside [base, next), or entries that make no sense.
  static Result<TxnIndex> decode(std::string_view bytes, Offset base, Offset next);

 private:
  std::vector<Entry> entries_;
};

}  // namespace farshore
