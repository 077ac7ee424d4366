// LagFigures: how far one partition, or several, are behind the source, as it is shown (control API, /metrics).
//
// Unknown is not zero. A figure is known if the source has spoken of the partition within the last kFresh and the
// target has said where it ends. A partition that nobody reads now (paused, FAILED, without a leader, a source that is
// down, a gateway that has just started) gets no news, so a lag of 0 would say nothing: then the figure is kUnknown. If
// records are known to be missing, their number is shown all the same: at least so many. Pure, no I/O.
#pragma once

#include "replicator/replicator.h"

namespace farshore::linker {

class LagFigures {
 public:
  static constexpr int64_t kUnknown = -1;
  static constexpr Duration kFresh = seconds(10);

  LagFigures() = default;  // of no partition: nothing is behind
  LagFigures(const replicator::PartitionProgress& partition, MonoTime now);
  // Of a topic of which not even the partitions are known.
  static LagFigures unknown();

  void add(const LagFigures& other);

  // At least so many. kUnknown: none is known to be missing, but not every partition is known.
  int64_t records() const { return records_ == 0 && unknown_ > 0 ? kUnknown : records_; }
  // For how long the oldest of them has been known, of the worst partition. kUnknown as for records().
  int64_t ms_max() const { return records_ == 0 && unknown_ > 0 ? kUnknown : ms_max_; }
  int32_t unknown_partitions() const { return unknown_; }
  bool known() const { return unknown_ == 0; }

 private:
  int64_t records_ = 0, ms_max_ = 0;
  int32_t unknown_ = 0;
};

}  // namespace farshore::linker
