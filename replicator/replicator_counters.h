// Counters of a link's data plane since it began. They only grow, also when partitions are removed. The present state
// is in PartitionProgress and ReplicatorLoad.
#pragma once

#include <cstdint>
#include <map>

#include "base/result.h"

namespace farshore::replicator {

struct ReplicatorCounters {
  uint64_t bytes = 0, batches = 0;               // received whole, in order, and checked
  uint64_t corrupt = 0;                          // batches or answers of the source that could not be taken
  std::map<ErrorCode, uint64_t> append_errors;   // by what the target, or the way to it, said; per partition
  std::map<ErrorCode, uint64_t> control_errors;  // of open, truncate, advance
  uint64_t divergences = 0;                      // the source was found to have another history than the target
  uint64_t gaps = 0;                             // the source had deleted what was not mirrored yet
};

struct ReplicatorLoad {
  uint64_t appends_in_flight = 0;               // requests, to all brokers of the target
  uint64_t held_bytes = 0, held_bytes_max = 0;  // received and not yet acknowledged by the target; its limit
};

}  // namespace farshore::replicator
