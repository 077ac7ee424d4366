#include "base/file_cache.h"

#include <algorithm>
#include <utility>

#include "base/internal/file_cache_core.h"

namespace farshore {
namespace {

class CachedFile final : public File {
 public:
  CachedFile(std::shared_ptr<FileCacheCore> core, CachedSlotPtr slot)
      : core_(std::move(core)), slot_(std::move(slot)) {}
  ~CachedFile() override { core_->release(*slot_); }

  Task<Status> write_at(uint64_t position, ConstBytesList pieces) override {
    CO_TRY(auto file, co_await opened());
    ++slot_->writes;
    auto written = co_await file->write_at(position, pieces);
    slot_->size = file->size();
    if (!written && written.error() == ErrorCode::kIo) slot_->failed = written.error();
    co_return written;
  }
  Task<Result<size_t>> read_at(uint64_t position, MutableBytes into) override {
    CO_TRY(auto file, co_await opened());
    co_return co_await file->read_at(position, into);
  }
  Task<Status> sync() override { return core_->sync(slot_); }
  Task<Status> truncate(uint64_t size) override {
    CO_TRY(auto file, co_await opened());
    ++slot_->writes;
    auto cut = co_await file->truncate(size);
    slot_->size = file->size();
    co_return cut;
  }
  uint64_t size() const override { return slot_->size; }
  const std::string& path() const override { return slot_->path; }

  Task<Result<std::shared_ptr<File>>> opened() {
    auto file = core_->ready(*slot_);
    if (file) co_return file;
    co_return co_await core_->open(slot_);
  }

 private:
  std::shared_ptr<FileCacheCore> core_;
  CachedSlotPtr slot_;
};

}  // namespace

FileCache::FileCache(Env& env, FileSystem& files, size_t open_max)
    : core_(std::make_shared<FileCacheCore>(env, files, std::max<size_t>(open_max, 1))) {}

FileCache::~FileCache() = default;

size_t FileCache::open_count() const { return core_->open_count(); }
size_t FileCache::open_max() const { return core_->open_max(); }
uint64_t FileCache::refusals() const { return core_->refusals(); }

Task<Result<std::unique_ptr<File>>> FileCache::open(std::string path, OpenMode mode) {
  CO_TRY(auto slot, co_await core_->add(std::move(path), mode));
  std::unique_ptr<File> file = std::make_unique<CachedFile>(core_, std::move(slot));
  co_return file;
}

Task<Status> FileCache::rename(std::string from, std::string to) {
  auto replaced = co_await core_->take(to);
  auto moved = co_await core_->take(from);
  co_await core_->forget_names(replaced);
  auto renamed = co_await core_->files().rename(from, to);
  if (renamed)
    for (const auto& slot : moved) core_->rename(slot, to + slot->path.substr(from.size()));
  core_->give_back(replaced);
  core_->give_back(moved);
  co_return renamed;
}

Task<Status> FileCache::remove(std::string path) {
  auto slots = co_await core_->take(path);
  co_await core_->forget_names(slots);
  auto removed = co_await core_->files().remove(std::move(path));
  core_->give_back(slots);
  co_return removed;
}

Task<Status> FileCache::remove_all(std::string path) {
  auto slots = co_await core_->take(path);
  co_await core_->forget_names(slots);
  for (;;) {
    auto removed = co_await core_->files().remove_all(path);
    const bool again = FileCacheCore::refused(removed);
    if (!again) {
      core_->give_back(slots);
      co_return removed;
    }
    (void)co_await core_->wait_for_descriptor(Deadline::never());
  }
}

Task<Result<std::vector<std::string>>> FileCache::list(std::string path) {
  for (;;) {
    auto names = co_await core_->files().list(path);
    const bool again = FileCacheCore::refused(names);
    if (!again) co_return names;
    (void)co_await core_->wait_for_descriptor(Deadline::never());
  }
}

Task<Status> FileCache::sync_dir(std::string path) {
  for (;;) {
    auto synced = co_await core_->files().sync_dir(path);
    const bool again = FileCacheCore::refused(synced);
    if (!again) co_return synced;
    (void)co_await core_->wait_for_descriptor(Deadline::never());
  }
}

Task<Status> FileCache::make_dirs(std::string path) { return core_->files().make_dirs(std::move(path)); }
Task<Result<bool>> FileCache::exists(std::string path) { return core_->files().exists(std::move(path)); }
Task<Result<uint64_t>> FileCache::free_bytes(std::string path) { return core_->files().free_bytes(std::move(path)); }
Task<Result<std::unique_ptr<FileLock>>> FileCache::lock(std::string path) {
  return core_->files().lock(std::move(path));
}

Task<Result<std::shared_ptr<File>>> pin_file(File& file) {
  auto* cached = dynamic_cast<CachedFile*>(&file);
  if (!cached) co_return std::shared_ptr<File>(std::shared_ptr<File>(), &file);
  co_return co_await cached->opened();
}

}  // namespace farshore
