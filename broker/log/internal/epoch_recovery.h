// EpochRecovery: loads the leader epochs when a log is opened. The file leader-epoch-checkpoint may be older than the
// log, newer, or wrong. It is believed as far as the batches agree with it; otherwise the epochs are read from the
// batches.
// Executor: the Env's. Only while the log is being opened.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "broker/log/internal/batch_locator.h"

namespace farshore {

class EpochRecovery {
 public:
  using Scanned = std::vector<std::pair<LogEpoch, Offset>>;  // first offset of each epoch that a scan saw

  EpochRecovery(LogState& state, LogDirectory& directory, BatchLocator& locator)
      : state_(state), directory_(directory), locator_(locator) {}

  // After a clean close: a file with this CRC is believed unseen. Any other file is checked against the whole log.
  Task<Status> load_trusted(uint32_t file_crc);
  // After a scan of the log from `scanned_from` to its end.
  Task<Status> load(Scanned scanned, Offset scanned_from);

 private:
  using Text = std::optional<std::string>;  // of the file; nullopt: it does not exist
  Task<Status> check_and_save(Text text, Scanned scanned, Offset scanned_from);
  EpochCache merge(const EpochCache& file, const Scanned& scanned, Offset scanned_from) const;
  Task<Result<bool>> agrees_with_log(const EpochCache& cache);
  Task<Result<EpochCache>> read_from_log();

  LogState& state_;
  LogDirectory& directory_;
  BatchLocator& locator_;
};

}  // namespace farshore
