// TxnIndex: the aborted transactions whose abort marker is in one segment, in the order of the markers.
// Derived from the segment; the `.txnindex` file has the same entries (FORMAT.md).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "broker/log/log.h"

namespace farshore {

class TxnIndex {
 public:
  struct Entry {
    AbortedTxn txn;
    Offset last_stable;  // the last stable offset right after the marker was appended
  };
  void append(const Entry& entry) { entries_.push_back(entry); }
  // Adds the transactions that overlap [from, to). True: no later segment can have more of them.
  bool collect(Offset from, Offset to, std::vector<AbortedTxn>& into) const;
  void truncate_to(Offset to);
  const std::vector<Entry>& entries() const { return entries_; }

  std::string encode() const;
  // kCorrupt: an unknown version, markers outside [base, next), or offsets that contradict each other.
  static Result<TxnIndex> decode(std::string_view bytes, Offset base, Offset next);

 private:
  std::vector<Entry> entries_;
};

}  // namespace farshore
