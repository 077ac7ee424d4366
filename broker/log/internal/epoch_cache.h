// EpochCache: where each leader epoch of a log begins (KIP-101, KIP-279). OffsetForLeaderEpoch and truncation ask it.
// Its text is that of Kafka's leader-epoch-checkpoint. In memory only.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "broker/log/log.h"

namespace farshore {

class EpochCache {
 public:
  struct Entry {
    LogEpoch epoch;
    Offset start;
    friend bool operator==(const Entry&, const Entry&) = default;
  };

  // `epoch` begins at `start`. Removes the entries that contradict this (same or higher epoch, same or higher start).
  // Returns whether anything changed. An epoch of -1 (old batches) is ignored.
  bool assign(LogEpoch epoch, Offset start);
  LogEpoch latest() const { return entries_.empty() ? LogEpoch(-1) : entries_.back().epoch; }
  // KIP-279: {epoch, end}. The latest epoch ends at `log_end`. {-1, -1}: `epoch` is higher than all known ones.
  EpochEnd end_of(LogEpoch epoch, Offset log_end) const;
  LogEpoch at(Offset offset) const;  // -1: before the first epoch
  // Forgets epochs that begin at or above `to`. Returns whether anything changed.
  bool truncate_end(Offset to);
  // Forgets epochs that end at or below `start`. The epoch that holds `start` begins there afterwards. Returns whether
  // anything changed.
  bool truncate_start(Offset start);
  void clear() { entries_.clear(); }
  const std::vector<Entry>& entries() const { return entries_; }

  std::string encode() const;
  // kCorrupt: not the format, or epochs and starts that do not ascend.
  static Result<EpochCache> decode(std::string_view text);

 private:
  std::vector<Entry> entries_;
};

}  // namespace farshore
