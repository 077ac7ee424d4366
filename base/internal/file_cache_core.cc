#include "base/internal/file_cache_core.h"

#include <algorithm>
#include <utility>

namespace farshore {
namespace {

constexpr Duration kDescriptorPause = milliseconds(50);
constexpr size_t kVictimsLookedAt = 64;  // from the one used longest ago on
constexpr size_t kClosedAtOnce = 16;     // after the system refused a descriptor: others need some, too

bool lies_below(std::string_view path, std::string_view directory) {
  return path.size() > directory.size() && path.starts_with(directory) && path[directory.size()] == '/';
}

}  // namespace

void FileCacheCore::attach(CachedSlot& slot, std::shared_ptr<File> file) {
  slot.file = std::move(file);
  slot.size = slot.file->size();
  slot.place = by_use_.insert(by_use_.begin(), &slot);
  ++open_;
}

void FileCacheCore::detach(CachedSlot& slot) {
  if (!slot.file) return;
  slot.file.reset();
  by_use_.erase(slot.place);
  --open_;
  changed_.notify();
}

void FileCacheCore::drop_name(CachedSlot& slot) {
  auto [at, end] = by_path_.equal_range(slot.path);
  for (; at != end; ++at) {
    auto named = at->second.lock();
    if (named && named.get() != &slot) continue;
    by_path_.erase(at);
    return;
  }
}

Task<Result<CachedSlotPtr>> FileCacheCore::add(std::string path, OpenMode mode) {
  CO_TRY(auto file, co_await open_file(path, mode, env_.in(FileCache::kPatience)));
  auto slot = std::make_shared<CachedSlot>();
  slot->path = std::move(path);
  attach(*slot, std::move(file));
  by_path_.emplace(slot->path, slot);
  co_return slot;
}

void FileCacheCore::release(CachedSlot& slot) {
  slot.released = true;
  if (!slot.gone) drop_name(slot);
  detach(slot);
}

std::shared_ptr<File> FileCacheCore::ready(CachedSlot& slot) {
  if (slot.file && slot.failed.code == ErrorCode::kNone) by_use_.splice(by_use_.begin(), by_use_, slot.place);
  return slot.failed.code == ErrorCode::kNone ? slot.file : nullptr;
}

Task<Result<std::shared_ptr<File>>> FileCacheCore::open(CachedSlotPtr slot) {
  for (;;) {
    if (slot->failed.code != ErrorCode::kNone) co_return slot->failed;
    if (slot->file) co_return ready(*slot);
    if (slot->gone) co_return Error(ErrorCode::kNotFound, slot->path + " was removed");
    if (!slot->busy) break;
    CO_CHECK(co_await changed_.wait(Deadline::never()));
  }
  slot->busy = true;
  auto opened = co_await open_file(slot->path, OpenMode(), Deadline::never());
  slot->busy = false;
  changed_.notify();
  if (!opened) co_return std::move(opened).error();
  if (!slot->released) attach(*slot, *opened);
  co_return std::move(*opened);
}

Task<Result<std::shared_ptr<File>>> FileCacheCore::open_file(std::string path, OpenMode mode, Deadline deadline) {
  for (;;) {
    co_await make_room(open_max_);
    ++opening_;
    auto opened = co_await files_.open(path, mode);
    --opening_;
    if (opened) co_return std::shared_ptr<File>(std::move(*opened));
    if (!refused(opened)) co_return std::move(opened).error();
    const bool again = co_await wait_for_descriptor(deadline);
    if (!again)
      co_return Error(ErrorCode::kUnavailable, "no file descriptor is free for " + path +
                                                   ": raise the limit of open files (ulimit -n, LimitNOFILE), restart");
  }
}

Task<bool> FileCacheCore::wait_for_descriptor(Deadline deadline) {
  if (refusals_++ == 0)
    env_.log().error("the system has no file descriptor left: raise the limit of open files (ulimit -n, LimitNOFILE)",
                     {{"open_log_files", open_}});
  const size_t before = open_;
  co_await make_room(before > kClosedAtOnce ? before - kClosedAtOnce : 1);
  if (open_ < before) co_return true;
  if (deadline.passed(env_.now())) co_return false;
  (void)co_await changed_.wait(env_.in(kDescriptorPause));
  co_return true;
}

// The file without a user that was used longest ago; null: none of those looked at.
CachedSlot* FileCacheCore::victim(bool dirty) const {
  size_t looked = 0;
  for (auto at = by_use_.rbegin(); at != by_use_.rend() && (looked < kVictimsLookedAt || dirty); ++at, ++looked) {
    CachedSlot& slot = **at;
    if (slot.busy || slot.gone || slot.file.use_count() > 1) continue;
    if (dirty || (slot.writes == slot.synced_writes && slot.failed.code == ErrorCode::kNone)) return &slot;
  }
  return nullptr;
}

// Closes files until fewer than `open_max` are open, or all that are left are in use.
Task<void> FileCacheCore::make_room(size_t open_max) {
  while (open_ + opening_ >= open_max && open_ > 0) {
    if (CachedSlot* clean = victim(false)) {
      detach(*clean);
      continue;
    }
    CachedSlot* dirty = victim(true);
    if (!dirty) co_return;
    CachedSlotPtr slot;
    auto [at, end] = by_path_.equal_range(dirty->path);
    for (; at != end && !slot; ++at)
      if (auto named = at->second.lock(); named.get() == dirty) slot = std::move(named);
    if (!slot) co_return;
    co_await sync_victim(std::move(slot));
  }
}

Task<void> FileCacheCore::sync_victim(CachedSlotPtr slot) {
  slot->busy = true;
  auto synced = co_await sync(slot);
  slot->busy = false;
  changed_.notify();
  if (slot->released) co_return;
  // After a failed sync nothing more is done with the file; whoever uses it gets the error.
  const bool idle = slot->file && slot->file.use_count() == 1;
  if (idle && (!synced || slot->writes == slot->synced_writes)) detach(*slot);
}

Task<Status> FileCacheCore::sync(CachedSlotPtr slot) {
  std::shared_ptr<File> file = ready(*slot);
  if (!file) {
    CO_TRY(file, co_await open(slot));
  }
  const uint64_t writes = slot->writes;
  auto synced = co_await file->sync();
  if (synced)
    slot->synced_writes = std::max(slot->synced_writes, writes);
  else if (synced.error() != ErrorCode::kClosed)
    slot->failed = synced.error();
  co_return synced;
}

Task<std::vector<CachedSlotPtr>> FileCacheCore::take(std::string path) {
  std::vector<CachedSlotPtr> taken;
  for (auto at = by_path_.lower_bound(path); at != by_path_.end(); ++at) {
    if (!at->first.starts_with(path)) break;
    auto slot = at->second.lock();
    if (slot && (at->first == path || lies_below(at->first, path))) taken.push_back(std::move(slot));
  }
  for (const auto& slot : taken) {
    while (slot->busy) {
      auto waited = co_await changed_.wait(Deadline::never());
      if (!waited) break;
    }
    slot->busy = true;
  }
  std::erase_if(taken, [](const auto& slot) { return slot->released; });
  co_return taken;
}

void FileCacheCore::give_back(const std::vector<CachedSlotPtr>& slots) {
  for (const auto& slot : slots) slot->busy = false;
  changed_.notify();
}

Task<void> FileCacheCore::forget_names(const std::vector<CachedSlotPtr>& slots) {
  for (const auto& slot : slots) {
    if (slot->released || slot->gone) continue;
    if (!slot->file && slot->failed.code == ErrorCode::kNone) {
      auto opened = co_await open_file(slot->path, OpenMode(),
                                       env_.in(Duration::zero()));  // else it cannot be read any more: kNotFound
      if (slot->released) continue;
      if (opened) attach(*slot, std::move(*opened));
    }
    drop_name(*slot);
    slot->gone = true;
  }
}

void FileCacheCore::rename(const CachedSlotPtr& slot, std::string path) {
  if (slot->released || slot->gone) return;
  drop_name(*slot);
  slot->path = std::move(path);
  by_path_.emplace(slot->path, slot);
}

}  // namespace farshore
