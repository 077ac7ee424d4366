#include "broker/log/internal/retention.h"

#include <algorithm>

namespace farshore {

Task<Status> Retention::advance_log_start(Offset to) {
  if (to > state_.high_watermark)
    co_return Error(ErrorCode::kOutOfRange,
                    "the log start cannot pass the high watermark " + std::to_string(state_.high_watermark.value()));
  if (to <= state_.log_start) co_return ok();
  CO_CHECK(co_await raise_log_start(to));
  CO_TRY(int deleted, co_await go_on(kDeletedByRaise));
  (void)deleted;
  co_return ok();
}

Task<Status> Retention::raise_log_start(Offset to) {
  std::function<PartitionCheckpoint()> raised = [this, to] {
    PartitionCheckpoint checkpoint = state_.checkpoint();
    checkpoint.log_start = to;
    return checkpoint;
  };
  // Readers see the new start only when it is stored: a start that a full disk refuses would go back.
  std::function<void()> show = [this, to] { state_.log_start = to; };
  auto saved = co_await directory_.checkpoint().save(raised, CheckpointFile::Durability::kDurable, show);
  if (!saved) co_return health_.failed(std::move(saved).error());
  if (state_.epochs.truncate_start(state_.log_start)) {
    auto epochs = co_await state_.epochs.save();
    // On a full disk the epoch file is written later: deleting segments makes room for it.
    if (!epochs && !LogHealth::refused(epochs.error())) co_return health_.die(std::move(epochs).error());
  }
  co_return ok();
}

bool Retention::has_more() const {
  const SegmentSet& segments = state_.segments;
  return segments.count() > 1 && segments.after(*segments.first())->base <= state_.log_start;
}

Task<Result<int>> Retention::go_on(int segments_max) {
  int deleted = 0;
  while (deleted < segments_max && has_more()) {
    const Offset base = state_.segments.remove_first();
    auto removed = co_await directory_.segments().remove(base);
    if (!removed) co_return health_.die(std::move(removed).error());
    ++deleted;
  }
  co_return deleted;
}

bool Retention::expired(const Segment& segment, int64_t newest_ms, int64_t now_ms, uint64_t total_bytes) const {
  const LogOptions& options = state_.options;
  // Without timestamps in its records, a segment's age counts from when this process created or opened it.
  const int64_t age_of_ms = newest_ms >= 0 ? newest_ms : segment.created_ms;
  if (options.retention_ms >= 0 && now_ms - age_of_ms > options.retention_ms) return true;
  return options.retention_bytes >= 0 && total_bytes >= segment.size &&
         total_bytes - segment.size >= static_cast<uint64_t>(options.retention_bytes);
}

Task<Result<int>> Retention::apply() {
  if (state_.options.follows_source) co_return co_await go_on();
  const int64_t now_ms = directory_.env().wall_now().milliseconds_since_epoch;
  state_.producers.expire(now_ms, state_.options.producer_id_expiration_ms);
  Offset start = state_.log_start;
  if (deletes(state_.options.cleanup_policy)) {
    CO_TRY(start, co_await find_start(now_ms));
  }
  if (start > state_.log_start) CO_CHECK(co_await raise_log_start(start));
  co_return co_await go_on();
}

// The new log start: above every expired segment, counted from the first segment on. If the active segment expired, the
// log rolls, so that the segment can be deleted.
Task<Result<Offset>> Retention::find_start(int64_t now_ms) {
  Offset start = state_.log_start;
  uint64_t total = state_.segments.size_bytes();
  for (SegmentPtr segment = state_.segments.first(); segment; segment = state_.segments.after(*segment)) {
    const bool active = state_.segments.is_active(segment);
    if (segment->size == 0 && active) break;
    if ((active ? state_.end : segment->next) > state_.high_watermark) break;
    CO_TRY(auto newest, co_await locator_.newest(segment));
    if (!expired(*segment, newest.timestamp_ms, now_ms, total)) break;
    if (active) CO_CHECK(co_await active_.roll(state_.end));
    total -= segment->size;
    start = std::max(start, active ? state_.end : segment->next);
    if (active) break;
  }
  co_return start;
}

}  // namespace farshore
