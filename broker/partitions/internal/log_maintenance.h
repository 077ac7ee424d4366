// LogMaintenance: runs retention, the cleaner and timed syncs over the open logs, one log after the other.
// Executor: the broker's. Owner: PartitionTable.
#pragma once

#include <functional>
#include <vector>

#include "base/env.h"
#include "base/gate.h"
#include "broker/partitions/partition.h"
#include "broker/partitions/partition_options.h"

namespace farshore::broker {

class LogMaintenance {
 public:
  using Partitions = std::function<std::vector<PartitionPtr>()>;
  // `all`: the open partitions; `compacted`: those of them whose cleanup.policy names compact. Asked in each round.
  LogMaintenance(Env& env, const PartitionOptions& options, Partitions all, Partitions compacted);

  void start();
  Task<void> stop();

 private:
  // Runs `round` every `interval` until stop().
  Task<void> repeat(Duration interval, Task<void> (LogMaintenance::*round)());
  Task<void> apply_retention();
  Task<void> clean();
  Task<void> flush();
  bool skip(const Partition& partition) const { return partition.closing() || partition.failure(); }
  void report(const char* message, const Partition& partition, const Error& error);

  Env& env_;
  const PartitionOptions& options_;
  const Partitions all_, compacted_;
  Event stopping_;
  Gate gate_;
};

}  // namespace farshore::broker
