// AbortedTxns: the aborted transactions of one log, from the transaction indexes of its segments. It loads an index
// when it is needed, checks it against the log, and rebuilds it if it is missing or wrong.
// Executor: the Env's.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/async_mutex.h"
#include "broker/log/internal/producer_snapshots.h"

namespace farshore {

class AbortedTxns {
 public:
  AbortedTxns(LogState& state, LogDirectory& directory, BatchLocator& locator, ProducerSnapshots& snapshots)
      : state_(state), directory_(directory), locator_(locator), snapshots_(snapshots) {}

  // The aborted transactions that overlap [from, to). nullopt: the log changed meanwhile, ask again.
  Task<Result<std::optional<std::vector<AbortedTxn>>>> collect(Offset from, Offset to);
  // Loads the transaction index of the segment, or rebuilds it. It is there when this returns, and until the caller
  // waits for something: then the index of a full segment may go again, as those of others are loaded.
  Task<Status> ensure_index(SegmentPtr segment);

 private:
  Task<Result<std::optional<std::string>>> read_index(const Segment& segment, std::string name);
  Task<Result<bool>> agrees_with_log(const TxnIndex& txns);
  Task<Status> rebuild_index(SegmentPtr segment, std::string name, std::string why);

  LogState& state_;
  LogDirectory& directory_;
  BatchLocator& locator_;
  ProducerSnapshots& snapshots_;
  // One rebuild at a time: two of one index would write the same temporary file. Null: there was none.
  std::unique_ptr<AsyncMutex> rebuild_lock_;
};

}  // namespace farshore
