// check_run(): the part of a fetched run that a pump may append to its end: whole batches, in order, of one history,
// with the right CRC. Pure.
#pragma once

#include "proto/batch/batch.h"
#include "replicator/source_state.h"

namespace farshore::replicator {

struct RunCheck {
  enum class Verdict : uint8_t {
    kFollows,       // the first `good` batches follow
    kDiverged,      // the position is inside a batch of the source, so the target holds another batch there
    kRetentionGap,  // the source has deleted the next records
  };
  Verdict verdict = Verdict::kFollows;
  size_t good = 0, good_bytes = 0;
  SourceOffset end;    // of the good batches
  LogEpoch epoch{-1};  // of the last good batch
  Error bad;           // why the batch after the good ones cannot be taken; kNone: there is none
};

// `end`, `epoch`: of the batches that the pump has. `log_start`: of the source, as it answered with this run.
RunCheck check_run(const BatchRun& run, SourceOffset end, LogEpoch epoch, SourceOffset log_start, bool verify_crc);

}  // namespace farshore::replicator
