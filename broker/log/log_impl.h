// The log's one implementation, split over log_*.cc by what they do. Private to this room.
//
// Concurrency: everything runs on the Env's executor. What changes the shape of the log (append, roll, truncation,
// retention, cleaning) holds `writer_`, one at a time. Reads hold nothing: they pin segments by shared_ptr, look at
// `generation_` before and after they awaited, and start over if the shape changed under them.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/async_mutex.h"
#include "base/gate.h"
#include "broker/log/checkpoint.h"
#include "broker/log/epoch_cache.h"
#include "broker/log/jumps.h"
#include "broker/log/segment.h"

namespace farshore {

class LogImpl final : public Log {
 public:
  LogImpl(Env& env, SlabArena& arena, std::string directory, LogOptions options);

  Task<Status> open();

  Task<Result<AppendInfo>> append(BatchRun run, AppendOrigin origin, LogEpoch epoch) override;
  Task<Result<LogSlice>> read(Offset from, ReadBound bound, size_t bytes_max) override;
  Task<Result<BatchRun>> read_run(Offset from, ReadBound bound, size_t bytes_max) override;
  Task<Result<std::vector<AbortedTxn>>> aborted_in(Offset from, Offset to) override;
  LogEnds ends() const override;
  void set_high_watermark(Offset hw) override;
  Task<Status> flush() override;
  Task<Status> truncate_to(Offset to, bool below_high_watermark) override;
  Task<Status> reset_to(Offset start) override;
  Task<Status> advance_log_start(Offset to) override;
  Task<Result<int>> apply_retention() override;
  Task<Result<uint64_t>> clean() override;
  LogEpoch last_epoch() const override { return epochs_.latest(); }
  EpochEnd epoch_end(LogEpoch epoch) const override { return epochs_.end_of(epoch, end_); }
  LogEpoch epoch_at(Offset offset) const override;
  Task<Status> begin_epoch(LogEpoch epoch) override;
  Task<Result<std::optional<OffsetAndTime>>> offset_for_time(int64_t timestamp_ms) override;
  Task<Result<std::optional<OffsetAndTime>>> offset_of_max_time() override;
  std::vector<ProducerSummary> producers() const override { return producers_.summaries(); }
  void set_options(LogOptions options) override { options_ = options; }
  const LogRecovery& recovery() const override { return recovery_; }
  uint64_t size_bytes() const override;
  Task<Status> close() override;

 private:
  using SegmentPtr = std::shared_ptr<Segment>;
  using Durability = CheckpointFile::Durability;

  // log_open.cc
  Task<Status> create(Offset start);
  Task<Status> open_segments(const std::vector<std::string>& names);
  Task<Result<bool>> open_clean(const PartitionCheckpoint& checkpoint);  // false: it was not clean after all
  Task<Result<SegmentPtr>> make_segment(Offset base);
  Task<Status> finish_intent();
  Task<Status> remove_all_segments();
  Task<Status> remove_leftovers(const std::vector<std::string>& names);

  // log_recovery.cc
  struct Continuity;
  Task<Status> recover(std::optional<PartitionCheckpoint> checkpoint);
  Task<Status> check_durable_segment(SegmentPtr segment, Offset next_base);
  Task<Status> cut_after(SegmentPtr segment);
  // The state just before `at`: from the newest usable snapshot, and the batches behind it.
  Task<Result<ProducerState>> producers_at(Offset at);
  Task<Status> load_epochs(const std::vector<std::pair<LogEpoch, Offset>>& scanned, Offset scanned_from,
                           std::optional<uint32_t> trusted_crc);
  Task<Result<bool>> epochs_agree(const EpochCache& cache);
  Task<Result<EpochCache>> epochs_from_log();
  Task<Error> quarantine(std::string why);

  // log_append.cc
  using Markers = std::vector<std::optional<ControlMarker>>;  // of the control batches of a run
  // Every public coroutine is inside the gate while it runs, so that close() can wait for all of them.
  class Inside {
   public:
    explicit Inside(Gate& gate) : gate_(gate), inside_(gate.enter()) {}
    Inside(const Inside&) = delete;
    Inside& operator=(const Inside&) = delete;
    ~Inside() {
      if (inside_) gate_.leave();
    }

   private:
    Gate& gate_;
    bool inside_;
  };
  Status usable() const;  // also false when the gate is closed
  Task<Result<AppendInfo>> append_client(BatchRun run, LogEpoch epoch);
  Task<Result<AppendInfo>> append_checked(BatchRun run, Markers markers);
  Task<Status> note_jumps(const BatchRun& run);
  void stamp_run(BatchRun& run, LogEpoch epoch, std::optional<int64_t> append_time_ms);
  Task<Status> roll_if_needed(const BatchRun& run);
  Task<Status> roll(Offset base);
  Task<Status> roll_over_gap(Offset base);
  void note_appended(const BatchRun& run, const Markers& markers);
  Task<void> flush_after_roll();

  // log_flush.cc
  Task<Status> flush_to_end();
  Task<Status> flush_pass();
  Task<Status> save_epochs();
  PartitionCheckpoint checkpoint_now() const;
  Task<Status> save_checkpoint(Durability durability);
  Task<Status> write_snapshot(Offset at, bool sync);
  Task<Status> remove_snapshots(Offset above);
  Error die(Error error);

  // log_read.cc
  SegmentPtr segment_at(Offset offset) const;  // the one that would hold it
  SegmentPtr segment_after(const Segment& segment) const;
  const SegmentPtr& active() const { return segments_.rbegin()->second; }
  bool is_active(const SegmentPtr& segment) const;
  Offset bound_offset(ReadBound bound) const;
  // The first batch of `segment` that ends at or above `offset`; nullopt: none.
  Task<Result<std::optional<BatchPlace>>> locate(SegmentPtr segment, Offset offset);
  Task<Result<std::optional<BatchPlace>>> walk(SegmentPtr segment, Offset offset);
  // Where a slice of about `bytes_max` that begins at `begin` ends: a batch border, at most `limit`.
  Task<Result<uint64_t>> slice_end(SegmentPtr segment, uint64_t begin, uint64_t bytes_max, uint64_t limit);
  Task<Result<std::optional<BatchHeader>>> header_at(Offset offset);  // of the batch that holds it, or the next one

  // log_lookup.cc
  Task<Status> ensure_indexes(SegmentPtr segment);
  Task<Status> ensure_txns(SegmentPtr segment);
  Task<Result<bool>> txns_agree(const TxnIndex& txns);
  Task<Status> rebuild_indexes(SegmentPtr segment, std::string why);
  Task<Result<std::optional<OffsetAndTime>>> find_time(SegmentPtr segment, int64_t timestamp_ms);

  // log_truncate.cc
  Task<Status> truncate_locked(Offset to);
  Task<Result<int>> delete_segments_below_start();
  Task<Result<int>> raise_log_start(Offset to);
  Task<Status> reset_locked(Offset start);
  bool expired(const Segment& segment, int64_t now_ms, uint64_t total_bytes) const;

  // log_cleaner.cc
  struct Keys;
  Task<Result<uint64_t>> clean_pass();
  Task<Result<bool>> read_keys(SegmentPtr segment, Keys& keys);
  Task<Result<uint64_t>> clean_group(std::vector<SegmentPtr> group, const Keys& keys);
  Task<Status> write_cleaned(std::vector<SegmentPtr> group, const Keys& keys, SegmentPtr cleaned);
  Task<Status> finish_swap(Offset base, std::vector<Offset> replaced);

  std::string path(std::string_view name) const { return join_path(directory_, name); }

  Env& env_;
  SlabArena& arena_;
  FileSystem& files_;
  std::string directory_;
  LogOptions options_;
  LogRecovery recovery_;
  CheckpointFile checkpoint_;
  JumpFile jumps_;
  AsyncMutex writer_;
  AsyncMutex epochs_file_;
  Gate gate_;

  std::map<Offset, SegmentPtr> segments_;  // by base; never empty once open; the last one is active
  Offset log_start_, end_, flushed_end_, high_watermark_;
  Offset cleaned_to_;
  EpochCache epochs_;
  bool epochs_dirty_ = false;
  uint32_t epochs_crc_ = 0;  // of the file
  ProducerState producers_;
  uint64_t generation_ = 0;  // raised by everything that removes or replaces bytes
  bool closed_ = false;
  std::optional<Error> dead_;

  bool cleaning_ = false;
  bool flush_running_ = false;
  Notifier flushed_;

  std::vector<std::weak_ptr<Segment>> loaded_;  // old segments whose indexes are in memory, oldest first
};

}  // namespace farshore
