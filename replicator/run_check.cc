#include "replicator/run_check.h"

namespace farshore::replicator {

RunCheck check_run(const BatchRun& run, SourceOffset end, LogEpoch epoch, SourceOffset log_start, bool verify_crc) {
  RunCheck check;
  check.end = end;
  check.epoch = epoch;
  for (const BatchHeader& batch : run.batches) {
    const SourceOffset first(batch.first().value());
    if (first < check.end) {
      if (check.good == 0) {
        check.verdict = RunCheck::Verdict::kDiverged;
      } else {
        check.bad = Error(ErrorCode::kCorrupt, "offsets go back");
      }
      return check;
    }
    if (first > check.end && check.end < log_start && check.good == 0) {
      check.verdict = RunCheck::Verdict::kRetentionGap;
      return check;
    }
    if (batch.epoch() < check.epoch) {
      check.bad = Error(ErrorCode::kCorrupt, "leader epoch goes back from " + std::to_string(check.epoch.value()) +
                                                 " to " + std::to_string(batch.epoch().value()));
      return check;
    }
    if (verify_crc) {
      if (Status crc = farshore::verify_crc(batch, run.bytes, check.good_bytes); !crc) {
        check.bad = crc.error();
        return check;
      }
    }
    check.good_bytes += batch.size_bytes();
    check.end = SourceOffset(batch.next().value());
    check.epoch = batch.epoch();
    ++check.good;
  }
  return check;
}

}  // namespace farshore::replicator
