// Removing from the end (truncation, reset) and from the beginning (log start, retention).
#include <algorithm>

#include "broker/log/intent.h"
#include "broker/log/log_format.h"
#include "broker/log/log_impl.h"

namespace farshore {

Task<Status> LogImpl::truncate_to(Offset to, bool below_high_watermark) {
  Inside inside(gate_);
  CO_CHECK(usable());
  auto guard = co_await writer_.lock();
  CO_CHECK(usable());
  if (to < log_start_)
    co_return Error(ErrorCode::kOutOfRange, "the log starts at " + std::to_string(log_start_.value()) +
                                                ": what is below is gone already; to empty it, reset it");
  if (to >= end_) {
    // No bytes go, but an epoch that began at `to` and holds nothing does: one is left where a truncation was
    // interrupted between its cut and its epochs, and the source would ask for the same truncation for ever.
    if (!epochs_.truncate_end(to)) co_return ok();
    epochs_dirty_ = true;
    co_return co_await save_epochs();
  }
  if (to < high_watermark_ && !below_high_watermark)
    co_return Error(ErrorCode::kInvalidArgument, "truncation to " + std::to_string(to.value()) +
                                                     " would remove what is committed up to " +
                                                     std::to_string(high_watermark_.value()));
  const uint64_t generation = generation_;
  auto done = co_await truncate_locked(to);
  if (!done && generation == generation_ && done.error() == ErrorCode::kNoSpace) co_return done;  // nothing happened
  if (!done) co_return die(std::move(done).error());
  co_return ok();
}

Task<Status> LogImpl::truncate_locked(Offset to) {
  SegmentPtr old = segment_at(to);
  CO_TRY(auto place, co_await locate(old, to));
  // What stays of the segment is read again: its tail, indexes and timestamps follow from that.
  auto kept = std::make_shared<Segment>(old->base, old->file);
  kept->created_ms = old->created_ms;
  kept->name_synced = true;
  CO_TRY(auto scan, co_await scan_segment(kept, place ? place->position : old->size, BatchScanner::Check::kHeaders,
                                          options_.index_interval_bytes, nullptr));
  if (scan.bad) co_return *scan.bad;
  // The batch that goes began below the log start: nothing readable stays, and the start never goes back.
  if (kept->next < log_start_) co_return co_await reset_locked(log_start_);
  CO_CHECK(co_await ensure_txns(old));
  kept->txns = old->txns;
  kept->txns->truncate_to(kept->next);
  CO_TRY(ProducerState producers, co_await producers_at(kept->next));

  // In memory at once, so that nobody reads what is going.
  ++generation_;
  end_ = kept->next;
  high_watermark_ = std::min(high_watermark_, end_);
  if (!options_.test_only_high_watermark_before_truncation) flushed_end_ = std::min(flushed_end_, end_);
  cleaned_to_ = std::min(cleaned_to_, end_);
  producers_ = std::move(producers);
  producers_.on_high_watermark(high_watermark_);
  epochs_dirty_ |= epochs_.truncate_end(end_);
  std::vector<Offset> gone;
  for (auto at = segments_.upper_bound(kept->base); at != segments_.end(); at = segments_.erase(at))
    gone.push_back(at->first);
  segments_[kept->base] = kept;

  // On disk from the back, so that a crash leaves a prefix; the recovery point first, so that it is never above it.
  CO_CHECK(co_await save_checkpoint(Durability::kDurable));
  for (auto base = gone.rbegin(); base != gone.rend(); ++base)
    CO_CHECK(co_await remove_segment_files(env_, directory_, *base));
  CO_CHECK(co_await remove_snapshots(end_));
  CO_CHECK(co_await files_.sync_dir(directory_));
  CO_CHECK(co_await kept->file->truncate(kept->size));
  CO_CHECK(co_await kept->file->sync());
  kept->synced_size = kept->size;
  if (epochs_dirty_) CO_CHECK(co_await save_epochs());
  co_return ok();
}

Task<Status> LogImpl::reset_to(Offset start) {
  Inside inside(gate_);
  CO_CHECK(usable());
  auto guard = co_await writer_.lock();
  CO_CHECK(usable());
  if (start < Offset(0)) co_return Error(ErrorCode::kInvalidArgument, "a log cannot start below 0");
  const uint64_t generation = generation_;
  auto done = co_await reset_locked(start);
  if (!done && generation == generation_ && done.error() == ErrorCode::kNoSpace) co_return done;  // nothing happened
  if (!done) co_return die(std::move(done).error());
  co_return ok();
}

Task<Status> LogImpl::reset_locked(Offset start) {
  Intent intent;
  intent.kind = Intent::Kind::kReset;
  intent.start = start;
  CO_CHECK(co_await replace_file(files_, path(log_format::kIntent), intent.encode()));
  log_start_ = end_ = flushed_end_ = high_watermark_ = cleaned_to_ = start;
  CO_CHECK(co_await remove_all_segments());
  CO_CHECK(co_await create(start));
  CO_CHECK(co_await files_.remove(path(log_format::kIntent)));
  co_return co_await files_.sync_dir(directory_);
}

Task<Status> LogImpl::advance_log_start(Offset to) {
  Inside inside(gate_);
  CO_CHECK(usable());
  auto guard = co_await writer_.lock();
  CO_CHECK(usable());
  if (to > high_watermark_)
    co_return Error(ErrorCode::kOutOfRange,
                    "the log start cannot pass the high watermark " + std::to_string(high_watermark_.value()));
  if (to <= log_start_) co_return ok();
  CO_TRY(int deleted, co_await raise_log_start(to));
  (void)deleted;
  co_return ok();
}

Task<Result<int>> LogImpl::raise_log_start(Offset to) {
  log_start_ = to;
  auto saved = co_await save_checkpoint(Durability::kDurable);
  if (!saved) co_return die(std::move(saved).error());
  if (epochs_.truncate_start(log_start_)) {
    epochs_dirty_ = true;
    auto epochs = co_await save_epochs();
    // On a full disk the file is written later: deleting is what makes room.
    if (!epochs && epochs.error() != ErrorCode::kNoSpace) co_return die(std::move(epochs).error());
  }
  co_return co_await delete_segments_below_start();
}

Task<Result<int>> LogImpl::delete_segments_below_start() {
  int deleted = 0;
  while (segments_.size() > 1 && std::next(segments_.begin())->first <= log_start_) {
    Offset base = segments_.begin()->first;
    segments_.erase(segments_.begin());
    ++generation_;
    auto removed = co_await remove_segment_files(env_, directory_, base);
    if (!removed) co_return die(std::move(removed).error());
    ++deleted;
  }
  co_return deleted;
}

bool LogImpl::expired(const Segment& segment, int64_t now_ms, uint64_t total_bytes) const {
  // Segments whose records have no time expire by when they were made or opened.
  int64_t newest = segment.max_timestamp_ms >= 0 ? segment.max_timestamp_ms : segment.created_ms;
  if (options_.retention_ms >= 0 && now_ms - newest > options_.retention_ms) return true;
  return options_.retention_bytes >= 0 && total_bytes >= segment.size &&
         total_bytes - segment.size >= static_cast<uint64_t>(options_.retention_bytes);
}

Task<Result<int>> LogImpl::apply_retention() {
  Inside inside(gate_);
  CO_CHECK(usable());
  auto guard = co_await writer_.lock();
  CO_CHECK(usable());
  const int64_t now_ms = env_.wall_now().milliseconds_since_epoch;
  if (options_.follows_source) co_return co_await delete_segments_below_start();
  producers_.expire(now_ms, options_.producer_id_expiration_ms);
  Offset start = log_start_;
  uint64_t total = size_bytes();
  bool deletes = options_.cleanup_policy != CleanupPolicy::kCompact;
  for (SegmentPtr segment = segments_.begin()->second; deletes && segment; segment = segment_after(*segment)) {
    const bool last = is_active(segment);
    if (segment->size == 0 && last) break;
    if ((last ? end_ : segment->next) > high_watermark_) break;
    if (!segment->max_timestamp_known) CO_CHECK(co_await ensure_indexes(segment));
    if (!expired(*segment, now_ms, total)) break;
    if (last) CO_CHECK(co_await roll(end_));
    total -= segment->size;
    start = std::max(start, last ? end_ : segment->next);
    if (last) break;
  }
  if (start > log_start_) co_return co_await raise_log_start(start);
  co_return co_await delete_segments_below_start();
}

}  // namespace farshore
