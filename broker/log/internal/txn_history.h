// TxnHistory: which transactions of a log were aborted, as the batches themselves say. The cleaner removes the records
// of aborted transactions, so it does not believe the derived transaction index. Reads the headers of the log once, at
// the first question: a log without transactions is not read.
// Executor: the Env's. One for each pass of the cleaner.
#pragma once

#include <unordered_map>
#include <vector>

#include "broker/log/internal/batch_scanner.h"
#include "broker/log/internal/log_directory.h"
#include "broker/log/internal/log_state.h"

namespace farshore {

class TxnHistory {
 public:
  // More aborted transactions are not remembered. Then the pass cleans the part of the log in which they are all known.
  static constexpr size_t kAbortedMax = 1 << 20;

  // Every transaction that began below `to` has ended: `to` is at most the last stable offset.
  TxnHistory(LogState& state, LogDirectory& directory, Offset to, size_t aborted_max = kAbortedMax)
      : state_(state), directory_(directory), known_to_(to), aborted_max_(aborted_max) {}

  // Reads the log, once.
  Task<Status> load();
  // Below this offset it is known of every batch whether it was aborted.
  Offset known_to() const { return known_to_; }
  // Whether the batch belongs to a transaction that was aborted. After load().
  bool aborted(const BatchHeader& header) const;

 private:
  struct Range {
    Offset first, marker;
  };
  Task<Result<bool>> add(BatchHeader header, BatchScanner& scanner);
  bool some_open_below(Offset offset) const;

  LogState& state_;
  LogDirectory& directory_;
  Offset known_to_;
  size_t aborted_max_;
  bool loaded_ = false;
  std::unordered_map<int64_t, Offset> open_;                 // producer id -> first offset of its open transaction
  std::unordered_map<int64_t, std::vector<Range>> aborted_;  // by producer id, ascending
  size_t aborted_count_ = 0;
};

}  // namespace farshore
