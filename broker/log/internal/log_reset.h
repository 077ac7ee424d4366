// LogReset: empties the log and starts it again at an offset. The change is noted in partition.intent first, so opening
// finishes a reset that a crash interrupted.
// Executor: the Env's. Every caller holds the log's writer lock, or is opening the log.
#pragma once

#include "broker/log/internal/log_directory.h"
#include "broker/log/internal/log_state.h"

namespace farshore {

class LogReset {
 public:
  LogReset(LogState& state, LogDirectory& directory) : state_(state), directory_(directory) {}

  // Empties the log, durably. In memory the log is empty at once.
  Task<Status> reset_to(Offset start);
  // Carries out a reset that the intent file notes. Leaves the files of an empty log, and no segment in memory.
  Task<Status> finish(Offset start);

  // Removes the files of all segments, and the epochs.
  Task<Status> remove_contents();
  // Creates the first segment and the checkpoint of an empty log, durably.
  Task<Status> create_empty(Offset start);

 private:
  LogState& state_;
  LogDirectory& directory_;
};

}  // namespace farshore
