#include "broker/log/internal/flusher.h"

#include <algorithm>

namespace farshore {
namespace {

constexpr uint64_t kGapBytesKept = 64 << 10;  // more notes do not make recovery better

using Durability = CheckpointFile::Durability;

}  // namespace

Flusher::Flusher(LogState& state, LogDirectory& directory, LogHealth& health)
    : state_(state), directory_(directory), health_(health), pass_ended_(directory.env()) {
  health_.on_death([this] { pass_ended_.notify(); });
}

Task<Status> Flusher::flush() {
  const Offset target = state_.end;
  while (state_.flushed_end < std::min(target, state_.end) || has_dirty_index(target)) {
    CO_CHECK(health_.alive());
    if (!running_) {
      CO_CHECK(co_await pass());
      continue;
    }
    CO_CHECK(co_await pass_ended_.wait(Deadline::never()));  // no deadline: a disk has none
  }
  co_return health_.alive();
}

// A roll writes the indexes of a segment whose batches may all be durable already.
bool Flusher::has_dirty_index(Offset below) const {
  for (const auto& [base, segment] : state_.segments.all())
    if (base < below && segment->indexes_dirty) return true;
  return false;
}

Task<Status> Flusher::pass() {
  running_ = true;
  const uint64_t generation = state_.segments.generation();
  const Offset target = state_.end;
  std::vector<SegmentPtr> dirty;
  bool names = false;
  for (const auto& [base, segment] : state_.segments.all()) {
    if (segment->synced_size < segment->size || segment->indexes_dirty || !segment->name_synced)
      dirty.push_back(segment);
    names |= !segment->name_synced;
  }
  Status status = co_await sync_segments(dirty, generation);
  if (status && directory_.gaps().dirty()) status = co_await directory_.gaps().sync();
  if (status && names) {
    status = co_await directory_.sync();
    if (status)
      for (const auto& segment : dirty) segment->name_synced = true;
  }
  const bool synced = status.has_value();
  if (status && state_.epochs.dirty()) status = co_await state_.epochs.save();
  running_ = false;
  if (!status) {
    // What a full disk refuses (the epoch file), or what found no descriptor, can be tried again. After a failed sync
    // nobody knows which bytes are on the disk.
    const bool full_after_sync = synced && status.error() == ErrorCode::kNoSpace;
    if (!full_after_sync && status.error() != ErrorCode::kUnavailable) co_return health_.die(std::move(status).error());
    pass_ended_.notify();
    co_return status;
  }
  if (generation == state_.segments.generation() && target > state_.flushed_end) {
    state_.flushed_end = target;
    co_await save_recovery_point();
  }
  pass_ended_.notify();
  co_return ok();
}

Task<Status> Flusher::sync_segments(std::vector<SegmentPtr> dirty, uint64_t generation) {
  for (const auto& segment : dirty) {
    const uint64_t size = segment->size;
    if (segment->synced_size < size) CO_CHECK(co_await segment->file->sync());
    if (generation == state_.segments.generation()) segment->synced_size = std::max(segment->synced_size, size);
    if (segment->indexes_dirty) CO_CHECK(co_await directory_.segments().sync_indexes(segment));
  }
  co_return ok();
}

// An old recovery point only makes the next recovery longer, so it need not be synced. The gap notes may be removed
// once a recovery point above them cannot be lost any more.
Task<void> Flusher::save_recovery_point() {
  const bool clear_gaps = directory_.gaps().size_bytes() > kGapBytesKept && state_.flushed_end == state_.end;
  const auto durability = clear_gaps ? Durability::kDurable : Durability::kCached;
  Offset recovery_point = state_.flushed_end;
  const uint64_t cuts = state_.segments.cuts();
  std::function<PartitionCheckpoint()> make = [this, &recovery_point] {
    recovery_point = state_.flushed_end;
    return state_.checkpoint();
  };
  auto saved = co_await directory_.checkpoint().save(make, durability);
  if (saved && clear_gaps)  // appends go on: they may have noted gaps meanwhile
    saved =
        co_await directory_.gaps().clear_below(recovery_point, [this, cuts] { return cuts == state_.segments.cuts(); });
  if (!saved)
    directory_.env().log().warn("the recovery point was not saved",
                                {{"directory", directory_.path()}, {"error", saved.error()}});
}

Task<Status> Flusher::forget_gaps() {
  CO_CHECK(co_await flush());
  auto saved = co_await directory_.checkpoint().save(state_.checkpoint(), Durability::kDurable);
  if (saved) saved = co_await directory_.gaps().clear();
  if (!saved && !LogHealth::refused(saved.error())) co_return health_.die(std::move(saved).error());
  co_return saved;
}

}  // namespace farshore
