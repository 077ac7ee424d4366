// Divergence: the source has another history than the target. Where their common history ends, and what would be lost
// by following the source. Pure values.
#pragma once

#include <algorithm>
#include <string>

#include "base/result.h"
#include "replicator/source_state.h"

namespace farshore::replicator {

struct Divergence {
  LogEpoch epoch;    // the source's largest epoch that is not above the target's last; -1: it has none
  SourceOffset end;  // where it ends at the source
  SourceOffset target_start, target_end;
  LogEpoch target_epoch;  // of the target's last batch

  // A cut to the common history would leave nothing of what the target has.
  bool leaves_nothing() const { return target_start < target_end && (epoch < LogEpoch(0) || end <= target_start); }
  // What the target has and the source has not.
  LostRange lost() const { return {std::min(end, target_end), target_end, epoch, target_epoch}; }
  LostRange everything() const { return {target_start, target_end, epoch, target_epoch}; }
  // Why a partition stops that may not be cut, or not to nothing.
  Error other_history() const;
  Error nothing_in_common() const;
};

}  // namespace farshore::replicator
