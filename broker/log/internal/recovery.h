// Recovery: opens a log that was not closed cleanly. It reads every byte from the recovery point to the end, cuts a
// torn end, makes indexes, producers and epochs again, and syncs what it read. Below the recovery point it cuts
// nothing: damage there quarantines the partition. Executor: the Env's. Only while the log is being opened.
#pragma once

#include <optional>

#include "broker/log/internal/continuity.h"
#include "broker/log/internal/epoch_recovery.h"
#include "broker/log/internal/log_health.h"
#include "broker/log/internal/producer_snapshots.h"

namespace farshore {

class Recovery {
 public:
  Recovery(LogState& state, LogDirectory& directory, LogHealth& health, BatchLocator& locator,
           ProducerSnapshots& snapshots);

  // nullopt: there is no valid checkpoint; then nothing counts as durable, and gaps are allowed, since somebody else
  // may have written the files. kCorrupt: the partition is quarantined. After success, everything up to the end is
  // durable.
  Task<Status> run(std::optional<PartitionCheckpoint> checkpoint);

 private:
  // Returns the first segment that must be scanned.
  Task<Result<SegmentPtr>> check_durable_segments();
  Task<Status> check_durable_segment(SegmentPtr segment, Offset next_base);
  Task<Result<std::string>> find_damage(SegmentPtr segment, uint64_t from, Offset next_base);
  Task<Result<Continuity>> continuity(Offset scanned_from);
  Task<Status> scan_from(SegmentPtr first);
  void report_unnoted(const Continuity& order) const;
  // Why the scanned segment is bad, or does not fit its neighbours; nullopt: it is good.
  std::optional<Error> find_tear(const Segment& segment, const SegmentScan& scan, const SegmentPtr& next) const;
  Task<Status> cut_tail(SegmentPtr segment, uint64_t file_size, Error why);
  Task<Status> sync_scanned(Offset scanned_from);

  LogState& state_;
  LogDirectory& directory_;
  LogHealth& health_;
  BatchLocator& locator_;
  ProducerSnapshots& snapshots_;
  std::optional<PartitionCheckpoint> checkpoint_;
  Offset recovery_point_;
  EpochRecovery::Scanned epochs_;  // of the segments scanned so far
};

}  // namespace farshore
