// LogOpener: opens or creates the log in a directory. It finishes what a crash interrupted, recognises a clean close,
// and otherwise has Recovery read the log (FORMAT.md, "Opening").
// Executor: the Env's. Used once per log.
#pragma once

#include "broker/log/internal/aborted_txns.h"
#include "broker/log/internal/log_health.h"
#include "broker/log/internal/log_reset.h"
#include "broker/log/internal/retention.h"

namespace farshore {

class LogOpener {
 public:
  LogOpener(LogState& state, LogDirectory& directory, LogHealth& health, BatchLocator& locator,
            ProducerSnapshots& snapshots, AbortedTxns& aborted, LogReset& reset, Retention& retention);

  // As open_log.
  Task<Status> open();

 private:
  // Returns whether there was one.
  Task<Result<bool>> finish_intent(const std::vector<std::string>& names);
  Task<Result<std::optional<PartitionCheckpoint>>> load_checkpoint();
  Task<Status> open_segments(std::vector<std::string> names);
  Task<Status> create(std::optional<PartitionCheckpoint> checkpoint);
  Task<Status> clean_open_or_recover(std::optional<PartitionCheckpoint> checkpoint);
  // False: the log was changed after the close, or its files do not fit together.
  Task<Result<bool>> open_clean(PartitionCheckpoint checkpoint);
  Task<Result<bool>> check_tail(SegmentPtr last, Offset clean_end);

  LogState& state_;
  LogDirectory& directory_;
  LogHealth& health_;
  BatchLocator& locator_;
  ProducerSnapshots& snapshots_;
  AbortedTxns& aborted_;
  LogReset& reset_;
  Retention& retention_;
};

}  // namespace farshore
