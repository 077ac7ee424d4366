#include "broker/log/internal/recovery.h"

#include <algorithm>

#include "broker/log/internal/log_format.h"

namespace farshore {

Recovery::Recovery(LogState& state, LogDirectory& directory, LogHealth& health, BatchLocator& locator,
                   ProducerSnapshots& snapshots)
    : state_(state), directory_(directory), health_(health), locator_(locator), snapshots_(snapshots) {}

Task<Status> Recovery::run(std::optional<PartitionCheckpoint> checkpoint) {
  checkpoint_ = checkpoint;
  state_.report.clean = false;
  const Offset first = state_.segments.first()->base;
  recovery_point_ = std::max(checkpoint ? checkpoint->recovery_point : first, first);
  CO_TRY(SegmentPtr scanned, co_await check_durable_segments());
  const Offset scanned_from = scanned->base;
  CO_TRY(state_.producers, co_await snapshots_.state_at(scanned_from));
  CO_CHECK(co_await scan_from(scanned));
  const Segment& active = *state_.segments.active();
  state_.end = std::max(active.next, active.base);
  if (state_.end < recovery_point_)
    co_return co_await directory_.quarantine("the log ends at " + std::to_string(state_.end.value()) +
                                             ", but offsets below " + std::to_string(recovery_point_.value()) +
                                             " were durable");
  CO_CHECK(co_await sync_scanned(scanned_from));
  EpochRecovery epochs(state_, directory_, locator_);
  CO_CHECK(co_await epochs.load(std::move(epochs_), scanned_from));
  CO_CHECK(co_await snapshots_.remove_stale(state_.end));
  CO_CHECK(co_await directory_.sync());
  for (const auto& [base, segment] : state_.segments.all()) segment->synced_size = segment->size;
  state_.flushed_end = state_.end;
  if (checkpoint)
    state_.high_watermark = std::clamp(checkpoint->high_watermark, std::min(state_.log_start, state_.end), state_.end);
  CO_CHECK(co_await directory_.checkpoint().save(state_.checkpoint(), CheckpointFile::Durability::kDurable));
  CO_CHECK(co_await directory_.gaps().clear());
  directory_.env().log().info("recovered a log", {{"directory", directory_.path()},
                                                  {"scanned_bytes", state_.report.scanned_bytes},
                                                  {"cut_bytes", state_.report.cut_bytes},
                                                  {"end", state_.end}});
  co_return ok();
}

// Segments that end below the recovery point are durable: only their ends are read.
Task<Result<SegmentPtr>> Recovery::check_durable_segments() {
  SegmentPtr segment = state_.segments.first();
  for (;;) {
    SegmentPtr next = state_.segments.after(*segment);
    if (!next || next->base > recovery_point_) co_return segment;
    CO_CHECK(co_await check_durable_segment(segment, next->base));
    segment = std::move(next);
  }
}

Task<Status> Recovery::check_durable_segment(SegmentPtr segment, Offset next_base) {
  auto last = co_await locator_.indexes().last(segment);
  if (!last && last.error() != ErrorCode::kCorrupt && last.error() != ErrorCode::kNotFound)
    co_return std::move(last).error();
  const uint64_t from = last && *last ? (*last)->position : 0;
  CO_TRY(std::string damage, co_await find_damage(segment, from, next_base));
  if (!damage.empty() && from > 0) {
    // The index may be wrong, and not the segment: read the segment from its beginning.
    CO_CHECK(co_await locator_.rebuild_indexes(segment, damage));
    CO_TRY(damage, co_await find_damage(segment, 0, next_base));
  }
  if (!damage.empty()) co_return co_await directory_.quarantine(std::move(damage));
  co_return ok();
}

// Walks the batch headers from byte `from` to the end. Empty: they are in order.
Task<Result<std::string>> Recovery::find_damage(SegmentPtr segment, uint64_t from, Offset next_base) {
  BatchScanner scanner(directory_.env(), segment->file, from, segment->size, BatchScanner::Check::kHeaders);
  std::string damage;
  for (;;) {
    auto batch = co_await scanner.next();
    if (!batch && batch.error() != ErrorCode::kCorrupt) co_return std::move(batch).error();
    if (!batch) damage = batch.error().detail;
    if (!batch || !*batch) co_return damage;
    if ((*batch)->header.next() > next_base) damage = segment->file->path() + ": reaches into the next segment";
  }
}

Task<Result<Continuity>> Recovery::continuity(Offset scanned_from) {
  Continuity::Known known;
  known.recovery_point = recovery_point_;
  known.log_start = state_.log_start;
  known.scanned_from = scanned_from;
  CO_TRY(known.gaps, co_await directory_.gaps().load());
  known.gaps_whole = directory_.gaps().whole();
  for (const auto& [base, segment] : state_.segments.all()) known.segment_bases.insert(base);
  auto text = co_await read_file(directory_.files(), directory_.path_of(log_format::kEpochs));
  if (text) {
    if (auto epochs = EpochCache::decode(*text)) known.epochs = std::move(epochs).value();
  }
  co_return Continuity(std::move(known));
}

Task<Status> Recovery::scan_from(SegmentPtr first) {
  CO_TRY(auto order, co_await continuity(first->base));
  SegmentPtr next;
  for (SegmentPtr segment = first; segment; segment = next) {
    next = state_.segments.after(*segment);
    const uint64_t file_size = segment->file->size();
    CO_TRY(auto scan, co_await scan_segment(directory_.env(), segment, file_size, BatchScanner::Check::kCrc,
                                            state_.options.index_interval_bytes, &state_.producers,
                                            checkpoint_ ? &order : nullptr));
    state_.report.scanned_bytes += segment->size;
    const bool epoch_back =
        !scan.epochs.empty() && !epochs_.empty() && scan.epochs.front().first < epochs_.back().first;
    if (!scan.bad && (epoch_back || (next && segment->next > next->base)))
      co_return co_await directory_.quarantine(segment->file->path() + ": does not fit its neighbours");
    if (!next || scan.bad) report_unnoted(order);
    auto tear = find_tear(*segment, scan, next);
    epochs_.insert(epochs_.end(), scan.epochs.begin(), scan.epochs.end());
    if (tear) co_return co_await cut_tail(segment, file_size, std::move(*tear));
    if (next) {
      segment->finish_times();
      CO_CHECK(co_await directory_.segments().write_indexes(segment));
      segment->leave_indexes_to_files();
      segment->next = next->base;
    }
  }
  co_return ok();
}

void Recovery::report_unnoted(const Continuity& order) const {
  if (order.unnoted() == 0) return;
  directory_.env().log().warn(
      "partition.jumps or leader-epoch-checkpoint was lost or damaged: batches were kept that only the batches behind "
      "them confirm",
      {{"directory", directory_.path()}, {"batches", order.unnoted()}, {"end", order.next()}});
}

// A power loss can drop whole batches at the end of one segment and keep the next one. So above the recovery point
// segments must follow each other without a gap.
std::optional<Error> Recovery::find_tear(const Segment& segment, const SegmentScan& scan,
                                         const SegmentPtr& next) const {
  if (scan.bad) return scan.bad;
  if (!next || !checkpoint_ || segment.next >= next->base) return std::nullopt;
  return Error(ErrorCode::kCorrupt, segment.file->path() + ": ends at " + std::to_string(segment.next.value()) +
                                        " before the next segment begins");
}

// Everything behind the good batches of `segment` goes, unless some of it was durable.
Task<Status> Recovery::cut_tail(SegmentPtr segment, uint64_t file_size, Error why) {
  if (segment->next < recovery_point_)
    co_return co_await directory_.quarantine(why.detail + "; offsets below " + std::to_string(recovery_point_.value()) +
                                             " were durable");
  state_.report.cut_bytes += file_size - segment->size;
  directory_.env().log().warn("cut a torn tail",
                              {{"directory", directory_.path()}, {"why", why.detail}, {"end", segment->next}});
  while (!state_.segments.is_active(segment)) {
    state_.report.cut_bytes += state_.segments.active()->file->size();
    const Offset base = state_.segments.active()->base;
    CO_CHECK(co_await directory_.segments().remove(base));
    (void)state_.segments.remove_last();
  }
  co_return co_await segment->file->truncate(segment->size);
}

// The batches may have been read from the page cache. And a cut must not come undone under new appends. The indexes
// that were made again are below the new recovery point, where opening believes them.
Task<Status> Recovery::sync_scanned(Offset scanned_from) {
  for (const auto& [base, segment] : state_.segments.all()) {
    Status synced;
    if (segment->next >= scanned_from || state_.segments.is_active(segment)) synced = co_await segment->file->sync();
    if (synced && segment->indexes_dirty) synced = co_await directory_.segments().sync_indexes(segment);
    if (!synced) co_return health_.die(std::move(synced).error());
  }
  co_return ok();
}

}  // namespace farshore
