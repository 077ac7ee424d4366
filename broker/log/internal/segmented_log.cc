#include "broker/log/internal/segmented_log.h"

#include "broker/log/internal/log_opener.h"

namespace farshore {

SegmentedLog::SegmentedLog(Env& env, FileSystem& files, SlabArena& arena, std::string directory, LogOptions options)
    : directory_(env, files, directory),
      health_(env, directory),
      state_(env, files, directory, options),
      writer_(env),
      gate_(env),
      locator_(state_, directory_),
      snapshots_(state_, directory_, locator_),
      aborted_(state_, directory_, locator_, snapshots_),
      times_(state_, directory_, locator_),
      reader_(state_, health_, locator_, arena),
      flusher_(state_, directory_, health_),
      active_(state_, directory_, health_, snapshots_, flusher_, gate_),
      appender_(state_, directory_, health_, active_),
      reset_(state_, directory_),
      truncator_(state_, directory_, health_, locator_, snapshots_, aborted_, reset_),
      retention_(state_, directory_, health_, locator_, active_),
      cleaner_(state_, directory_, health_, locator_, flusher_, writer_) {}

Task<Status> SegmentedLog::open() {
  LogOpener opener(state_, directory_, health_, locator_, snapshots_, aborted_, reset_, retention_);
  co_return co_await opener.open();
}

Task<Result<AppendInfo>> SegmentedLog::append(BatchRun run, AppendOrigin origin, LogEpoch epoch) {
  Inside inside(gate_);
  CO_CHECK(health_.usable());
  if (run.empty()) co_return Error(ErrorCode::kInvalidArgument, "an empty run");
  if (origin != AppendOrigin::kCoordinator) CO_CHECK(verify_crc(run));
  CO_TRY(auto markers, Appender::read_markers(run));
  auto guard = co_await writer_.lock();
  CO_CHECK(health_.usable());
  co_return co_await appender_.append(std::move(run), std::move(markers), origin, epoch);
}

Task<Status> SegmentedLog::begin_epoch(LogEpoch epoch) {
  Inside inside(gate_);
  CO_CHECK(health_.usable());
  auto guard = co_await writer_.lock();
  CO_CHECK(health_.usable());
  co_return co_await appender_.begin_epoch(epoch);
}

Status SegmentedLog::announce_epoch(LogEpoch epoch) {
  FARSHORE_CHECK(health_.usable());
  return appender_.announce_epoch(epoch);
}

Task<Result<LogSlice>> SegmentedLog::read(Offset from, ReadBound bound, size_t bytes_max) {
  Inside inside(gate_);
  co_return LogHealth::read_result(co_await reader_.find(from, bound, bytes_max));
}

Task<Result<BatchRun>> SegmentedLog::read_run(Offset from, ReadBound bound, size_t bytes_max) {
  Inside inside(gate_);
  CO_TRY(LogSlice slice, LogHealth::read_result(co_await reader_.find(from, bound, bytes_max)));
  co_return LogHealth::read_result(co_await reader_.load(std::move(slice)));
}

Task<Result<std::vector<AbortedTxn>>> SegmentedLog::aborted_in(Offset from, Offset to) {
  Inside inside(gate_);
  for (;;) {
    CO_CHECK(health_.usable());
    CO_TRY(auto found, LogHealth::read_result(co_await aborted_.collect(from, to)));
    if (found) co_return std::move(*found);
  }
}

Task<Result<std::optional<OffsetAndTime>>> SegmentedLog::offset_for_time(int64_t timestamp_ms) {
  Inside inside(gate_);
  for (;;) {
    CO_CHECK(health_.usable());
    CO_TRY(auto answer, LogHealth::read_result(co_await times_.first_at_or_after(timestamp_ms)));
    if (!answer.log_changed) co_return answer.record;
  }
}

Task<Result<std::optional<OffsetAndTime>>> SegmentedLog::offset_of_max_time() {
  Inside inside(gate_);
  for (;;) {
    CO_CHECK(health_.usable());
    CO_TRY(auto answer, LogHealth::read_result(co_await times_.with_largest_timestamp()));
    if (!answer.log_changed) co_return answer.record;
  }
}

Task<Status> SegmentedLog::flush() {
  Inside inside(gate_);
  CO_CHECK(health_.usable());
  co_return co_await flusher_.flush();
}

Task<Status> SegmentedLog::truncate_to(Offset to, bool below_high_watermark) {
  Inside inside(gate_);
  CO_CHECK(health_.usable());
  auto guard = co_await writer_.lock();
  CO_CHECK(health_.usable());
  co_return co_await truncator_.truncate_to(to, below_high_watermark);
}

Task<Status> SegmentedLog::reset_to(Offset start) {
  Inside inside(gate_);
  CO_CHECK(health_.usable());
  auto guard = co_await writer_.lock();
  CO_CHECK(health_.usable());
  co_return co_await truncator_.reset_to(start);
}

Task<Status> SegmentedLog::advance_log_start(Offset to) {
  Inside inside(gate_);
  CO_CHECK(health_.usable());
  auto guard = co_await writer_.lock();
  CO_CHECK(health_.usable());
  co_return co_await retention_.advance_log_start(to);
}

Task<Result<int>> SegmentedLog::apply_retention() {
  Inside inside(gate_);
  int deleted = 0;
  // The writer lock is free between two steps, so that appends wait for the removal of one segment at most.
  for (bool begun = false; !begun || retention_.has_more(); begun = true) {
    CO_CHECK(health_.usable());
    auto guard = co_await writer_.lock();
    CO_CHECK(health_.usable());
    Result<int> gone = 0;
    if (begun)
      gone = co_await retention_.go_on();
    else
      gone = co_await retention_.apply();
    if (!gone) co_return std::move(gone).error();
    deleted += *gone;
  }
  co_return deleted;
}

Task<Result<uint64_t>> SegmentedLog::clean() {
  Inside inside(gate_);
  CO_CHECK(health_.usable());
  co_return co_await cleaner_.clean();
}

Task<Status> SegmentedLog::close() {
  if (health_.closed()) co_return Error(ErrorCode::kClosed, directory_.path());
  health_.close();
  co_await gate_.close();  // a call that waits for the writer lock finds the log closed
  auto guard = co_await writer_.lock();
  Status closed = health_.alive();
  if (closed) closed = co_await write_clean_end();
  state_.segments.clear();
  directory_.close();
  co_return closed;
}

PartitionCheckpoint SegmentedLog::clean_checkpoint() const {
  const Segment& last = *state_.segments.active();
  PartitionCheckpoint clean = state_.checkpoint();
  clean.clean_segment = last.base;
  clean.clean_size = static_cast<int64_t>(last.size);
  clean.clean_end = state_.end;
  return clean;
}

Task<Status> SegmentedLog::write_clean_end() {
  // Nothing was changed since the clean close before: the files say all of it already.
  if (!state_.epochs.changed() && directory_.checkpoint().stored() == clean_checkpoint()) co_return ok();
  CO_CHECK(co_await flusher_.flush());
  if (state_.epochs.dirty()) CO_CHECK(co_await state_.epochs.save());
  SegmentPtr last = state_.segments.active();
  last->finish_times();
  CO_CHECK(co_await directory_.segments().write_indexes(last));
  CO_CHECK(co_await directory_.segments().sync_indexes(last));
  CO_CHECK(co_await snapshots_.write_synced(state_.end));
  CO_CHECK(co_await snapshots_.remove_stale(state_.end));
  CO_CHECK(co_await directory_.sync());
  CO_CHECK(co_await directory_.checkpoint().save(clean_checkpoint(), CheckpointFile::Durability::kDurable));
  co_return co_await directory_.gaps().clear();
}

}  // namespace farshore
