// Durability: group commit, checkpoints, snapshots, the clean end.
#include <algorithm>

#include "base/crc32c.h"
#include "broker/log/log_format.h"
#include "broker/log/log_impl.h"

namespace farshore {
namespace {

constexpr uint64_t kJumpsKept = 64 << 10;  // bytes; more make recovery no better

}  // namespace

Status LogImpl::usable() const {
  if (dead_) return *dead_;
  if (closed_ || gate_.closed()) return Error(ErrorCode::kClosed, directory_);
  return ok();
}

Error LogImpl::die(Error error) {
  if (!dead_) {
    dead_ = Error(ErrorCode::kIo, directory_ + " is offline: " + error.to_string());
    env_.log().error("a log is offline after a disk error", {{"directory", directory_}, {"error", error}});
  }
  flushed_.notify();
  return *dead_;
}

PartitionCheckpoint LogImpl::checkpoint_now() const {
  PartitionCheckpoint c;
  c.recovery_point = flushed_end_;
  c.log_start = log_start_;
  c.high_watermark = high_watermark_;
  c.cleaned_to = cleaned_to_;
  c.epochs_crc = epochs_crc_;
  return c;
}

Task<Status> LogImpl::save_checkpoint(Durability durability) {
  co_return co_await checkpoint_.save(checkpoint_now(), durability);
}

Task<Status> LogImpl::save_epochs() {
  auto guard = co_await epochs_file_.lock();
  std::string text = epochs_.encode();
  uint32_t crc = crc32c(as_bytes(text));
  epochs_dirty_ = false;  // what is assigned while we write makes it dirty again
  auto saved = co_await replace_file(files_, path(log_format::kEpochs), std::move(text));
  if (!saved) {
    epochs_dirty_ = true;
    co_return saved;
  }
  epochs_crc_ = crc;
  co_return ok();
}

Task<Status> LogImpl::write_snapshot(Offset at, bool sync) {
  co_return co_await write_file(files_, path(log_format::file_name(at, log_format::kSnapshot)), producers_.encode(),
                                sync);
}

Task<Status> LogImpl::remove_snapshots(Offset above) {
  CO_TRY(auto names, co_await files_.list(directory_));
  for (const auto& name : names) {
    auto parsed = log_format::parse_file_name(name);
    if (!parsed || parsed->suffix != log_format::kSnapshot) continue;
    // Kept: one at each segment's base, and what was asked for.
    bool at_base = segments_.count(parsed->base) != 0;
    if (parsed->base <= above && (at_base || parsed->base == above)) continue;
    auto removed = co_await files_.remove(path(name));
    if (!removed && removed.error() != ErrorCode::kNotFound) co_return removed;
  }
  co_return ok();
}

Task<Status> LogImpl::flush() {
  Inside inside(gate_);
  CO_CHECK(usable());
  co_return co_await flush_to_end();
}

Task<Status> LogImpl::flush_to_end() {
  const Offset target = end_;
  while (flushed_end_ < std::min(target, end_)) {
    if (dead_) co_return *dead_;
    if (!flush_running_) {
      CO_CHECK(co_await flush_pass());
      continue;
    }
    // One sync serves all who came before it began; a disk has no deadline.
    CO_CHECK(co_await flushed_.wait(Deadline::never()));
  }
  if (dead_) co_return *dead_;
  co_return ok();
}

Task<Status> LogImpl::flush_pass() {
  flush_running_ = true;
  const uint64_t generation = generation_;
  const Offset target = end_;
  std::vector<SegmentPtr> dirty;
  bool names = false;
  for (const auto& [base, segment] : segments_) {
    if (segment->synced_size < segment->size || segment->indexes_dirty || !segment->name_synced)
      dirty.push_back(segment);
    names |= !segment->name_synced;
  }
  Status status = ok();
  for (const auto& segment : dirty) {
    const uint64_t size = segment->size;
    if (segment->synced_size < size) status = co_await segment->file->sync();
    if (!status) break;
    if (generation == generation_) segment->synced_size = std::max(segment->synced_size, size);
    if (!segment->indexes_dirty) continue;
    status = co_await sync_indexes(env_, directory_, segment);
    if (!status) break;
  }
  if (status && jumps_.dirty()) status = co_await jumps_.sync();
  if (status && names) {
    status = co_await files_.sync_dir(directory_);
    if (status)
      for (const auto& segment : dirty) segment->name_synced = true;
  }
  bool synced = status.has_value();
  if (status && epochs_dirty_) status = co_await save_epochs();
  flush_running_ = false;
  if (!status) {
    // Only the epoch file on a full disk can be tried again: after a failed sync nobody knows what is on the disk.
    if (synced && status.error() == ErrorCode::kNoSpace) {
      flushed_.notify();
      co_return status;
    }
    co_return die(std::move(status).error());
  }
  if (generation == generation_ && target > flushed_end_) {
    flushed_end_ = target;
    // Lost or late, it only makes the next recovery longer. Jumps may go once it cannot be lost any more.
    const bool clear_jumps = jumps_.size_bytes() > kJumpsKept && flushed_end_ == end_;
    auto saved = co_await save_checkpoint(clear_jumps ? Durability::kDurable : Durability::kCached);
    if (saved && clear_jumps && flushed_end_ == end_) saved = co_await jumps_.clear();
    if (!saved)
      env_.log().warn("the recovery point was not saved", {{"directory", directory_}, {"error", saved.error()}});
  }
  flushed_.notify();
  co_return ok();
}

Task<Status> LogImpl::close() {
  if (closed_) co_return Error(ErrorCode::kClosed, directory_);
  closed_ = true;
  co_await gate_.close();  // what waits for the lock sees that it is closed
  auto guard = co_await writer_.lock();
  if (dead_) co_return *dead_;
  CO_CHECK(co_await flush_to_end());
  if (epochs_dirty_) CO_CHECK(co_await save_epochs());
  SegmentPtr last = active();
  last->finish_times();
  CO_CHECK(co_await write_indexes(env_, directory_, last));
  CO_CHECK(co_await sync_indexes(env_, directory_, last));
  CO_CHECK(co_await write_snapshot(end_, true));
  CO_CHECK(co_await remove_snapshots(end_));
  CO_CHECK(co_await files_.sync_dir(directory_));
  PartitionCheckpoint clean = checkpoint_now();
  clean.clean_segment = last->base;
  clean.clean_size = static_cast<int64_t>(last->size);
  clean.clean_end = end_;
  CO_CHECK(co_await checkpoint_.save(clean, Durability::kDurable));
  co_return co_await jumps_.clear();
}

}  // namespace farshore
