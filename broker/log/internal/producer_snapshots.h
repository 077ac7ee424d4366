// ProducerSnapshots: the `.snapshot` files of one log, each with the producers just before an offset, and the producer
// state at any offset, which is computed from the nearest snapshot and the batches after it.
// Executor: the Env's.
#pragma once

#include "broker/log/internal/batch_locator.h"

namespace farshore {

class ProducerSnapshots {
 public:
  ProducerSnapshots(LogState& state, LogDirectory& directory, BatchLocator& locator)
      : state_(state), directory_(directory), locator_(locator) {}

  // The producers just before `at`. A snapshot that cannot be read is skipped and noted in the recovery report.
  Task<Result<ProducerState>> state_at(Offset at);
  // Writes the current producers as the snapshot at `at` (page cache).
  Task<Status> write(Offset at);
  Task<Status> write_synced(Offset at);
  // Removes the snapshots above `end`, and those below it that are at no segment's base offset.
  Task<Status> remove_stale(Offset end);

 private:
  Task<Status> apply_batches(SegmentPtr segment, Offset from, Offset to, ProducerState& state);
  Task<Result<Offset>> load_newest(Offset at, ProducerState& state);

  LogState& state_;
  LogDirectory& directory_;
  BatchLocator& locator_;
};

}  // namespace farshore
