// SegmentedLog: the Log made of segment files. It puts the parts of the log together, and says which call holds the
// writer lock.
//
// Whatever changes the log (append, truncation, retention, a cleaner's swap) holds the writer lock, one at a time, in
// call order. Reads hold no lock. Every public coroutine is inside the gate while it runs, so that close() can wait for
// all of them. Executor: the Env's.
#pragma once

#include <memory>

#include "base/async_mutex.h"
#include "base/gate.h"
#include "broker/log/internal/appender.h"
#include "broker/log/internal/cleaner.h"
#include "broker/log/internal/log_reader.h"
#include "broker/log/internal/retention.h"
#include "broker/log/internal/time_lookup.h"
#include "broker/log/internal/truncator.h"

namespace farshore {

class SegmentedLog final : public Log {
 public:
  SegmentedLog(Env& env, FileSystem& files, SlabArena& arena, std::string directory, LogOptions options);

  // Once, before anything else. Errors as open_log.
  Task<Status> open();

  Task<Result<AppendInfo>> append(BatchRun run, AppendOrigin origin, LogEpoch epoch) override;
  Task<Result<LogSlice>> read(Offset from, ReadBound bound, size_t bytes_max) override;
  Task<Result<BatchRun>> read_run(Offset from, ReadBound bound, size_t bytes_max) override;
  Task<Result<std::vector<AbortedTxn>>> aborted_in(Offset from, Offset to) override;
  LogEnds ends() const override { return state_.ends(); }
  void set_high_watermark(Offset hw) override { state_.raise_high_watermark(hw); }
  Task<Status> flush() override;
  Task<Status> truncate_to(Offset to, bool below_high_watermark) override;
  Task<Status> reset_to(Offset start) override;
  Task<Status> advance_log_start(Offset to) override;
  Task<Result<int>> apply_retention() override;
  Task<Result<uint64_t>> clean() override;
  LogEpoch last_epoch() const override { return state_.epochs.latest(); }
  EpochEnd epoch_end(LogEpoch epoch) const override { return state_.epochs.cache().end_of(epoch, state_.end); }
  LogEpoch epoch_at(Offset offset) const override { return state_.epoch_at(offset); }
  Task<Status> begin_epoch(LogEpoch epoch) override;
  Status announce_epoch(LogEpoch epoch) override;
  Task<Result<std::optional<OffsetAndTime>>> offset_for_time(int64_t timestamp_ms) override;
  Task<Result<std::optional<OffsetAndTime>>> offset_of_max_time() override;
  std::vector<ProducerSummary> producers() const override { return state_.producers.summaries(); }
  void set_options(LogOptions options) override { state_.options = options; }
  const LogRecovery& recovery() const override { return state_.report; }
  uint64_t size_bytes() const override { return state_.segments.size_bytes(); }
  Offset compacted_to() const override { return state_.compacted_to; }
  Task<Status> close() override;

 private:
  using Inside = Gate::Holder;
  Task<Status> write_clean_end();
  PartitionCheckpoint clean_checkpoint() const;

  LogDirectory directory_;
  LogHealth health_;
  LogState state_;
  AsyncMutex writer_;
  Gate gate_;

  BatchLocator locator_;
  ProducerSnapshots snapshots_;
  AbortedTxns aborted_;
  TimeLookup times_;
  LogReader reader_;
  Flusher flusher_;
  ActiveSegment active_;
  Appender appender_;
  LogReset reset_;
  Truncator truncator_;
  Retention retention_;
  Cleaner cleaner_;
};

}  // namespace farshore
