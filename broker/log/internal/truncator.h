// Truncator: removes the end of the log (a mirror follows its source's truncation). Memory changes at once, so that no
// read finds what is going. The files follow in an order that a crash may interrupt anywhere: the recovery point first,
// then the segments from the last one on.
// Executor: the Env's. Every caller holds the log's writer lock.
#pragma once

#include "broker/log/internal/aborted_txns.h"
#include "broker/log/internal/log_health.h"
#include "broker/log/internal/log_reset.h"

namespace farshore {

class Truncator {
 public:
  Truncator(LogState& state, LogDirectory& directory, LogHealth& health, BatchLocator& locator,
            ProducerSnapshots& snapshots, AbortedTxns& aborted, LogReset& reset);

  // As Log::truncate_to.
  Task<Status> truncate_to(Offset to, bool below_high_watermark);
  // As Log::reset_to.
  Task<Status> reset_to(Offset start);

 private:
  Task<Status> cut(Offset to);
  Task<Status> cut_files(SegmentPtr kept, std::vector<Offset> gone);
  // After kNoSpace before any change the log goes on; after any other error it is dead.
  Status outcome(Status done, uint64_t generation_before);

  LogState& state_;
  LogDirectory& directory_;
  LogHealth& health_;
  BatchLocator& locator_;
  ProducerSnapshots& snapshots_;
  AbortedTxns& aborted_;
  LogReset& reset_;
};

}  // namespace farshore
