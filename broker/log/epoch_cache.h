// Where each leader epoch begins (KIP-101, KIP-279): the memory behind OffsetForLeaderEpoch and truncation. Its file,
// leader-epoch-checkpoint, is text as Kafka writes it.
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

  // `epoch` begins at `start`. Entries that contradict it (same or higher epoch, same or higher start) give way.
  // Returns whether anything changed. An epoch of -1 (old batches) is ignored.
  bool assign(LogEpoch epoch, Offset start);
  LogEpoch latest() const { return entries_.empty() ? LogEpoch(-1) : entries_.back().epoch; }
  // KIP-279: {epoch, end}; `log_end` ends the latest one. {-1, -1}: higher than all known.
  EpochEnd end_of(LogEpoch epoch, Offset log_end) const;
  LogEpoch at(Offset offset) const;
  // Forgets epochs that begin at or above `to`. Returns whether anything changed.
  bool truncate_end(Offset to);
  // Forgets epochs that end at or below `start`; the one that holds it begins there now.
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
