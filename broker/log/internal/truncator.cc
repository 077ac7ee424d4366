#include "broker/log/internal/truncator.h"

#include "broker/log/internal/segment_scan.h"

namespace farshore {

Truncator::Truncator(LogState& state, LogDirectory& directory, LogHealth& health, BatchLocator& locator,
                     ProducerSnapshots& snapshots, AbortedTxns& aborted, LogReset& reset)
    : state_(state),
      directory_(directory),
      health_(health),
      locator_(locator),
      snapshots_(snapshots),
      aborted_(aborted),
      reset_(reset) {}

Status Truncator::outcome(Status done, uint64_t generation_before) {
  if (done) return done;
  if (generation_before == state_.segments.generation() && LogHealth::refused(done.error())) return done;
  return health_.die(std::move(done).error());
}

Task<Status> Truncator::truncate_to(Offset to, bool below_high_watermark) {
  if (to < state_.log_start)
    co_return Error(ErrorCode::kOutOfRange, "the log starts at " + std::to_string(state_.log_start.value()) +
                                                ": what is below is gone already; to empty it, reset it");
  if (to >= state_.end) {
    // No bytes go. But if an earlier truncation was interrupted between its cut and its epochs, an epoch without a
    // batch begins at `to`. It must go, or the source would ask for the same truncation again and again.
    if (!state_.epochs.truncate_end(to)) co_return ok();
    auto saved = co_await state_.epochs.save();
    if (!saved) co_return health_.failed(std::move(saved).error());
    co_return ok();
  }
  if (to < state_.high_watermark && !below_high_watermark)
    co_return Error(ErrorCode::kInvalidArgument, "truncation to " + std::to_string(to.value()) +
                                                     " would remove what is committed up to " +
                                                     std::to_string(state_.high_watermark.value()));
  const uint64_t generation = state_.segments.generation();
  auto done = co_await cut(to);
  co_return outcome(std::move(done), generation);
}

Task<Status> Truncator::reset_to(Offset start) {
  if (start < Offset(0)) co_return Error(ErrorCode::kInvalidArgument, "a log cannot start below 0");
  const uint64_t generation = state_.segments.generation();
  auto done = co_await reset_.reset_to(start);
  co_return outcome(std::move(done), generation);
}

Task<Status> Truncator::cut(Offset to) {
  SegmentPtr old = state_.segments.at(to);
  CO_TRY(auto place, co_await locator_.locate(old, to));
  // The batches that stay in this segment are scanned again: its tail, indexes and timestamps follow from them.
  auto kept = std::make_shared<Segment>(old->base, old->file);
  kept->created_ms = old->created_ms;
  kept->name_synced = true;
  CO_TRY(auto scan, co_await scan_segment(directory_.env(), kept, place ? place->position : old->size,
                                          BatchScanner::Check::kHeaders, state_.options.index_interval_bytes, nullptr));
  if (scan.bad) co_return *scan.bad;
  // The batch that holds `to` began below the log start. Nothing readable stays, and the log start never goes back.
  if (kept->next < state_.log_start) co_return co_await reset_.reset_to(state_.log_start);
  CO_CHECK(co_await aborted_.ensure_index(old));
  kept->txns = old->txns;
  kept->txns->truncate_to(kept->next);
  CO_TRY(ProducerState producers, co_await snapshots_.state_at(kept->next));
  auto gone = state_.cut_to(kept, std::move(producers));
  co_return co_await cut_files(kept, std::move(gone));
}

Task<Status> Truncator::cut_files(SegmentPtr kept, std::vector<Offset> gone) {
  CO_CHECK(co_await directory_.checkpoint().save(state_.checkpoint(), CheckpointFile::Durability::kDurable));
  for (auto base = gone.rbegin(); base != gone.rend(); ++base) CO_CHECK(co_await directory_.segments().remove(*base));
  CO_CHECK(co_await snapshots_.remove_stale(state_.end));
  CO_CHECK(co_await directory_.sync());
  CO_CHECK(co_await kept->file->truncate(kept->size));
  CO_CHECK(co_await kept->file->sync());
  kept->synced_size = kept->size;
  if (state_.epochs.dirty()) CO_CHECK(co_await state_.epochs.save());
  co_return ok();
}

}  // namespace farshore
