#include "broker/log/internal/log_opener.h"

#include <algorithm>
#include <limits>

#include "broker/log/internal/log_format.h"
#include "broker/log/internal/recovery.h"

namespace farshore {

LogOpener::LogOpener(LogState& state, LogDirectory& directory, LogHealth& health, BatchLocator& locator,
                     ProducerSnapshots& snapshots, AbortedTxns& aborted, LogReset& reset, Retention& retention)
    : state_(state),
      directory_(directory),
      health_(health),
      locator_(locator),
      snapshots_(snapshots),
      aborted_(aborted),
      reset_(reset),
      retention_(retention) {}

Task<Status> LogOpener::open() {
  CO_CHECK(co_await directory_.make());
  CO_TRY(auto names, co_await directory_.names());
  CO_CHECK(co_await directory_.check_not_quarantined(names));
  CO_TRY(const bool changed, co_await finish_intent(names));
  if (changed) {
    CO_TRY(names, co_await directory_.names());
  }
  CO_CHECK(co_await directory_.remove_unfinished(names));
  CO_TRY(auto checkpoint, co_await load_checkpoint());
  CO_CHECK(co_await open_segments(std::move(names)));
  if (state_.segments.empty()) co_return co_await create(checkpoint);

  const Offset first = state_.segments.first()->base;
  state_.log_start = checkpoint ? checkpoint->log_start : first;
  if (checkpoint) state_.cleaned_to = checkpoint->cleaned_to;
  if (checkpoint) state_.compacted_to = checkpoint->compacted_to;
  // Retention raises the log start before it deletes a segment. So if the first segment begins above it, one is
  // missing.
  if (first > state_.log_start)
    co_return co_await directory_.quarantine("the first segment begins at " + std::to_string(first.value()) +
                                             ", the log at " + std::to_string(state_.log_start.value()));
  CO_CHECK(co_await clean_open_or_recover(checkpoint));
  // Without a checkpoint, another program may have written the log, and compacted any of it.
  state_.compacted_to = checkpoint ? std::min(state_.compacted_to, state_.end) : state_.end;

  if (state_.log_start > state_.end) {
    // The log start was raised durably, and the batches around it were not durable. Nothing readable is lost.
    state_.report.cut_bytes += state_.segments.size_bytes();
    CO_CHECK(co_await reset_.remove_contents());
    CO_CHECK(co_await reset_.create_empty(state_.log_start));
  }
  state_.high_watermark =
      std::clamp(checkpoint ? checkpoint->high_watermark : state_.log_start, state_.log_start, state_.end);
  state_.producers.on_high_watermark(state_.high_watermark);
  CO_TRY(int deleted, co_await retention_.go_on(std::numeric_limits<int>::max()));  // finishes an interrupted deletion
  (void)deleted;
  co_return ok();
}

Task<Result<bool>> LogOpener::finish_intent(const std::vector<std::string>& names) {
  if (std::find(names.begin(), names.end(), log_format::kIntent) == names.end()) co_return false;
  auto intent = co_await directory_.intent().load();
  if (!intent && intent.error() == ErrorCode::kCorrupt)
    co_return co_await directory_.quarantine(intent.error().to_string());
  if (!intent) co_return std::move(intent).error();
  if (!*intent) co_return false;
  if ((*intent)->kind == Intent::Kind::kReset) {
    CO_CHECK(co_await reset_.finish((*intent)->start));
    co_return true;
  }
  CO_CHECK(co_await directory_.segments().swap_in_cleaned((*intent)->start, (*intent)->replaced));
  CO_CHECK(co_await directory_.intent().done());
  co_return true;
}

Task<Result<std::optional<PartitionCheckpoint>>> LogOpener::load_checkpoint() {
  auto loaded = co_await directory_.checkpoint().load();
  if (loaded) co_return std::optional(*loaded);
  if (loaded.error() == ErrorCode::kNotFound || loaded.error() == ErrorCode::kCorrupt) co_return std::nullopt;
  co_return std::move(loaded).error();
}

Task<Status> LogOpener::open_segments(std::vector<std::string> names) {
  const int64_t now_ms = directory_.env().wall_now().milliseconds_since_epoch;
  for (const auto& name : names) {
    auto parsed = log_format::parse_file_name(name);
    if (!parsed || parsed->suffix != log_format::kLog) continue;
    CO_TRY(SegmentPtr segment, co_await directory_.segments().open(parsed->base));
    segment->created_ms = now_ms;
    segment->name_synced = true;  // if it may not be, recovery syncs the directory
    state_.segments.add(std::move(segment));
  }
  for (const auto& [base, segment] : state_.segments.all()) {
    segment->size = segment->synced_size = segment->file->size();
    // An old segment covers every offset up to the next one's base.
    if (auto next = state_.segments.after(*segment)) segment->next = next->base;
  }
  co_return ok();
}

Task<Status> LogOpener::create(std::optional<PartitionCheckpoint> checkpoint) {
  const Offset start = checkpoint ? checkpoint->log_start : Offset(0);
  if (checkpoint && checkpoint->recovery_point > start)
    co_return co_await directory_.quarantine("no segment is left, but offsets below " +
                                             std::to_string(checkpoint->recovery_point.value()) + " were durable");
  co_return co_await reset_.create_empty(start);
}

Task<Status> LogOpener::clean_open_or_recover(std::optional<PartitionCheckpoint> checkpoint) {
  const Segment& active = *state_.segments.active();
  bool clean = false;
  if (checkpoint && checkpoint->clean_segment == active.base &&
      checkpoint->clean_size == static_cast<int64_t>(active.file->size())) {
    CO_TRY(clean, co_await open_clean(*checkpoint));
  }
  if (clean) co_return ok();
  Recovery recovery(state_, directory_, health_, locator_, snapshots_);
  co_return co_await recovery.run(checkpoint);
}

Task<Result<bool>> LogOpener::open_clean(PartitionCheckpoint checkpoint) {
  SegmentPtr last = state_.segments.active();
  last->next = checkpoint.clean_end;
  auto loaded = co_await directory_.segments().load_indexes(last);
  if (!loaded) co_return false;
  CO_CHECK(co_await aborted_.ensure_index(last));
  CO_TRY(bool fits, co_await check_tail(last, checkpoint.clean_end));
  if (!fits) co_return false;
  if (last->index.last()) {
    std::array<std::byte, kBatchHeaderBytes> raw;
    CO_TRY(size_t n, co_await last->file->read_at(0, raw));
    if (auto header = BatchHeader::parse(ConstBytes(raw).first(n))) last->first_timestamp_ms = header->max_timestamp;
  }
  state_.end = state_.flushed_end = checkpoint.clean_end;
  CO_TRY(state_.producers, co_await snapshots_.state_at(state_.end));
  EpochRecovery epochs(state_, directory_, locator_);
  CO_CHECK(co_await epochs.load_trusted(checkpoint.epochs_crc));
  co_return true;
}

// The batches behind the last index entry must end exactly at the end of the file, and at the offset that the
// checkpoint notes.
Task<Result<bool>> LogOpener::check_tail(SegmentPtr last, Offset clean_end) {
  auto entry = last->index.last();
  BatchScanner scanner(directory_.env(), last->file, entry ? entry->position : 0, last->size,
                       BatchScanner::Check::kHeaders);
  Offset next = last->base;
  uint64_t bytes = 0;
  for (bool first = true;; first = false) {
    auto batch = co_await scanner.next();
    if (!batch && batch.error() == ErrorCode::kCorrupt) co_return false;
    if (!batch) co_return std::move(batch).error();
    if (!*batch) break;
    const BatchHeader& header = (*batch)->header;
    if (first && entry && header.last() != last->index.offset_of(*entry)) co_return false;
    if (header.first() < next) co_return false;
    if (!entry && first) last->first_timestamp_ms = header.max_timestamp;
    next = header.next();
    bytes += header.size_bytes();
  }
  if (std::max(next, last->base) != clean_end) co_return false;
  last->bytes_since_index = bytes;
  co_return true;
}

}  // namespace farshore
