// Appender: appends runs of batches at the end of the log. It checks them, stamps offsets and epoch, has the bytes
// written, and then counts them in the log's state. In this order, a failure leaves nothing behind.
// Executor: the Env's.
#pragma once

#include <optional>
#include <vector>

#include "broker/log/internal/active_segment.h"

namespace farshore {

class Appender {
 public:
  Appender(LogState& state, LogDirectory& directory, LogHealth& health, ActiveSegment& active)
      : state_(state), directory_(directory), health_(health), active_(active) {}

  // The transaction markers of a run: one entry per batch, nullopt for batches that are no marker. Empty if the run has
  // no control batch.
  using Markers = std::vector<std::optional<ControlMarker>>;
  // Needs no lock. kCorrupt: a control batch cannot be read.
  static Result<Markers> read_markers(const BatchRun& run);

  // As Log::append. The caller holds the writer lock, and has checked CRCs.
  Task<Result<AppendInfo>> append(BatchRun run, Markers markers, AppendOrigin origin, LogEpoch epoch);
  // As Log::begin_epoch. The caller holds the writer lock.
  Task<Status> begin_epoch(LogEpoch epoch);
  // As Log::announce_epoch.
  Status announce_epoch(LogEpoch epoch);

 private:
  Status check_epoch_begins(LogEpoch epoch) const;
  Status check_continues(const BatchRun& run) const;
  Task<Result<AppendInfo>> append_of_client(BatchRun run, LogEpoch epoch);
  Task<Result<AppendInfo>> write(BatchRun run, Markers markers);
  Task<Status> note_gaps(const BatchRun& run);
  void stamp_run(BatchRun& run, LogEpoch epoch, std::optional<int64_t> append_time_ms) const;
  void count(const BatchRun& run, const Markers& markers);

  LogState& state_;
  LogDirectory& directory_;
  LogHealth& health_;
  ActiveSegment& active_;
};

}  // namespace farshore
