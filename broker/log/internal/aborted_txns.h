// AbortedTxns: the aborted transactions of one log, from the transaction indexes of its segments. It loads an index
// when it is needed, checks it against the log, and rebuilds it if it is missing or wrong.
// Executor: the Env's.
#pragma once

#include "broker/log/internal/producer_snapshots.h"

namespace farshore {

class AbortedTxns {
 public:
  AbortedTxns(LogState& state, LogDirectory& directory, BatchLocator& locator, ProducerSnapshots& snapshots)
      : state_(state), directory_(directory), locator_(locator), snapshots_(snapshots) {}

  // The aborted transactions that overlap [from, to). nullopt: the log changed meanwhile, ask again.
  Task<Result<std::optional<std::vector<AbortedTxn>>>> collect(Offset from, Offset to);
  // Loads the transaction index of the segment, or rebuilds it.
  Task<Status> ensure_index(SegmentPtr segment);

 private:
  Task<Result<bool>> agrees_with_log(const TxnIndex& txns);
  Task<Status> rebuild_index(SegmentPtr segment, std::string name, std::string why);

  LogState& state_;
  LogDirectory& directory_;
  BatchLocator& locator_;
  ProducerSnapshots& snapshots_;
};

}  // namespace farshore
