// FileSystem and File of one simulated process, on its host's SimDisk.
#include <algorithm>
#include <cstring>

#include "base/sim/disk.h"
#include "base/sim/inode.h"
#include "base/sim/world.h"

namespace farshore::sim {
namespace {

Error io_error(std::string_view what, std::string_view path) {
  return Error(ErrorCode::kIo, std::string(what) + " " + std::string(path) + " (simulated)");
}

}  // namespace

class SimFile final : public File {
 public:
  SimFile(SimEnv& env, std::shared_ptr<Inode> inode, std::string path)
      : env_(env), inode_(std::move(inode)), path_(std::move(path)) {}

  Task<Status> write_at(uint64_t position, ConstBytesList pieces) override {
    CO_CHECK(usable());
    SimDisk& d = *env_.host().disk;
    if (d.count(DiskOp::kWrite)) CO_CHECK(co_await after_trap());
    uint64_t total = 0;
    for (const auto& piece : pieces) total += piece.size();
    Inode& inode = *inode_;
    const uint64_t end = position + total;
    const bool failed = d.planned(DiskOp::kWrite, path_);
    const uint64_t grows = end > inode.live.size() ? end - inode.live.size() : 0;
    const bool full = !d.has_room(grows);
    uint64_t room = total;
    if (failed || full) {  // a part may have been written
      const uint64_t free = d.capacity_ > d.used_bytes() ? d.capacity_ - d.used_bytes() : 0;
      const uint64_t fits =
          full ? std::min(total, (inode.live.size() > position ? inode.live.size() - position : 0) + free) : total;
      room = d.random_.below(fits + 1);
    }
    if (room > 0 && position + room > inode.live.size()) d.resize(inode, position + room);
    uint64_t at = position;
    for (const auto& piece : pieces) {
      const size_t n = std::min<uint64_t>(piece.size(), position + room - at);
      if (n == 0) continue;
      std::memcpy(inode.live.data() + at, piece.data(), n);
      env_.world().trace().mix(digest(piece.first(n), inode.id));
      at += n;
    }
    if (room > 0) inode.dirty.add(position, position + room);
    if (!d.instant_) CO_CHECK(co_await pass_time());
    if (failed) {
      failed_ = true;
      co_return io_error("writing", path_);
    }
    if (full) co_return Error(ErrorCode::kNoSpace, "no space left for " + path_ + " (simulated)");
    co_return ok();
  }

  Task<Result<size_t>> read_at(uint64_t position, MutableBytes into) override {
    CO_CHECK(usable());
    SimDisk& d = *env_.host().disk;
    (void)d.count(DiskOp::kRead);
    if (!d.instant_) {
      if (std::exchange(inode_->cold, false)) co_await env_.delay(d.draw(microseconds(50), milliseconds(4)));
      CO_CHECK(co_await pass_time());
    }
    if (d.planned(DiskOp::kRead, path_)) co_return io_error("reading", path_);
    const auto& live = inode_->live;
    if (position >= live.size()) co_return size_t{0};
    const size_t n = std::min<uint64_t>(into.size(), live.size() - position);
    if (n > 0) std::memcpy(into.data(), live.data() + position, n);
    co_return n;
  }

  Task<Status> sync() override {
    CO_CHECK(usable());
    SimDisk& d = *env_.host().disk;
    if (d.count(DiskOp::kSync)) CO_CHECK(co_await after_trap());
    const bool failed = d.planned(DiskOp::kSync, path_);
    const uint64_t id = ++d.last_sync_;
    if (failed)
      inode_->dirty.clear();  // taken for clean, never written
    else
      d.start_sync(inode_, id);
    if (d.instant_) {
      if (!failed) d.finish_sync(inode_, id);
    } else {
      CO_CHECK(co_await wait_for_sync(id, failed));
    }
    if (failed) {
      failed_ = true;
      co_return io_error("syncing", path_);
    }
    co_return ok();
  }

  Task<Status> truncate(uint64_t size) override {
    CO_CHECK(usable());
    SimDisk& d = *env_.host().disk;
    if (d.count(DiskOp::kTruncate)) CO_CHECK(co_await after_trap());
    if (d.planned(DiskOp::kTruncate, path_)) {
      failed_ = true;
      co_return io_error("truncating", path_);
    }
    if (size > inode_->live.size() && !d.has_room(size - inode_->live.size()))
      co_return Error(ErrorCode::kNoSpace, "no space left for " + path_ + " (simulated)");
    env_.world().trace().mix(inode_->id << 40 ^ size);
    d.resize(*inode_, size);
    if (d.instant_) co_return ok();
    co_return co_await pass_time();
  }

  uint64_t size() const override { return inode_->live.size(); }
  const std::string& path() const override { return path_; }

 private:
  Status usable() const {
    if (env_.dead()) return Error(ErrorCode::kClosed);
    if (failed_) return Error(ErrorCode::kIo, path_ + " failed before");
    return ok();
  }
  Task<Status> wait_for_sync(uint64_t id, bool failed) {
    SimDisk& d = *env_.host().disk;
    // The kernel finishes a sync also for a process that has died; a power loss stops it.
    Wait<void> done(env_);
    SimDisk* disk = &d;
    const Duration time = d.draw(d.sync_min_, d.sync_max_) + (d.slow_ ? d.draw(d.slow_min_, d.slow_max_) : Duration{});
    env_.world().after(time, [disk, inode = inode_, id, boots = d.boots_, failed, done] {
      if (!failed && boots == disk->boots_) disk->finish_sync(inode, id);
      done.complete(ok());
    });
    (void)co_await done.wait(Deadline::never());
    co_return usable();
  }
  // The trap may have killed the process: it dies as soon as this handler returns.
  Task<Status> after_trap() {
    co_await env_.yield();
    co_return usable();
  }
  Task<Status> pass_time() {
    SimDisk& d = *env_.host().disk;
    if (d.slow_)
      co_await env_.delay(d.draw(d.slow_min_, d.slow_max_));
    else if (env_.world().options().yields && d.random_.below(16) == 0)
      co_await env_.yield();
    if (env_.dead()) co_return Error(ErrorCode::kClosed);
    co_return ok();
  }

  SimEnv& env_;
  std::shared_ptr<Inode> inode_;
  std::string path_;
  bool failed_ = false;
};

class SimFileLock final : public FileLock {
 public:
  SimFileLock(SimEnv& env, uint64_t inode) : env_(env), inode_(inode) {}
  ~SimFileLock() override {
    if (!env_.dead()) env_.host().disk->locks_.erase(inode_);
  }

 private:
  SimEnv& env_;
  uint64_t inode_;
};

// Every call takes a little time (a real one runs on a pool of threads and posts back), then happens at once.
class SimFileSystem final : public FileSystem {
 public:
  explicit SimFileSystem(SimEnv& env) : env_(env) {}

  Task<Result<std::unique_ptr<File>>> open(std::string path, OpenMode mode) override {
    CO_CHECK(co_await begin(DiskOp::kOpen, path));
    if (!disk().no_descriptor_.empty() && path.find(disk().no_descriptor_) != std::string::npos)
      co_return Error(ErrorCode::kResourceExhausted, "no file descriptor for " + path + " (simulated)");
    auto place = disk().find(path);
    if (!place.dir) co_return missing(path);
    if (place.inode && place.inode->directory) co_return Error(ErrorCode::kInvalidArgument, path + " is a directory");
    if (!place.inode) {
      if (!mode.create) co_return missing(path);
      if (!disk().has_room(1)) co_return Error(ErrorCode::kNoSpace, "no space left for " + path + " (simulated)");
      place.inode = disk().make(false);
      link(place.dir, place.name, place.inode);
    } else if (mode.create && mode.exclusive) {
      co_return Error(ErrorCode::kAlreadyExists, path);
    }
    if (mode.truncate) disk().resize(*place.inode, 0);
    std::unique_ptr<File> file = std::make_unique<SimFile>(env_, place.inode, std::move(path));
    co_return file;
  }

  Task<Status> make_dirs(std::string path) override {
    CO_CHECK(co_await begin(DiskOp::kOpen, path));
    for (size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
      const std::string part = path.substr(0, slash);
      auto place = disk().find(part);
      if (place.inode && !place.inode->directory) co_return Error(ErrorCode::kAlreadyExists, part + " is a file");
      if (!place.inode) {
        if (!place.dir) co_return missing(part);
        link(place.dir, place.name, disk().make(true));
      }
      if (slash == std::string::npos) co_return ok();
    }
  }

  Task<Status> rename(std::string from, std::string to) override {
    CO_CHECK(co_await begin(DiskOp::kRename, from));
    auto source = disk().find(from), target = disk().find(to);
    if (!source.inode || !source.dir) co_return missing(from);
    if (!target.dir) co_return missing(to);
    if (target.inode == source.inode) co_return ok();
    if (target.inode && target.inode->directory && !target.inode->entries.empty())
      co_return Error(ErrorCode::kAlreadyExists, to + " is a directory that is not empty");
    SimDisk::NameOp op;
    op.push_back({source.dir, source.name, nullptr});
    op.push_back({target.dir, target.name, source.inode});
    disk().change(std::move(op));
    co_return ok();
  }

  Task<Status> remove(std::string path) override {
    CO_CHECK(co_await begin(DiskOp::kRemove, path));
    auto place = disk().find(path);
    if (!place.inode || !place.dir) co_return missing(path);
    if (place.inode->directory && !place.inode->entries.empty())
      co_return Error(ErrorCode::kInvalidArgument, path + " is not empty");
    link(place.dir, place.name, nullptr);
    co_return ok();
  }

  Task<Status> remove_all(std::string path) override {
    CO_CHECK(co_await begin(DiskOp::kRemove, path));
    auto place = disk().find(path);
    if (!place.inode || !place.dir) co_return ok();
    if (place.inode->directory) empty(place.inode);
    link(place.dir, place.name, nullptr);
    co_return ok();
  }

  Task<Result<std::vector<std::string>>> list(std::string path) override {
    CO_CHECK(co_await begin(DiskOp::kRead, path));
    auto place = disk().find(path);
    if (!place.inode || !place.inode->directory) co_return missing(path);
    std::vector<std::string> names;
    for (auto& [name, inode] : place.inode->entries) names.push_back(name);
    co_return names;
  }

  Task<Result<bool>> exists(std::string path) override {
    CO_CHECK(co_await begin(DiskOp::kRead, path));
    co_return disk().find(path).inode != nullptr;
  }

  Task<Status> sync_dir(std::string path) override {
    CO_CHECK(co_await begin(DiskOp::kSyncDir, path));
    auto place = disk().find(path);
    if (!place.inode || !place.inode->directory) co_return missing(path);
    SimDisk& d = disk();
    if (!d.instant_) co_await env_.delay(d.draw(d.sync_min_, d.sync_max_));
    if (env_.dead()) co_return Error(ErrorCode::kClosed);
    d.sync_names(place.inode);
    co_return ok();
  }

  Task<Result<uint64_t>> free_bytes(std::string path) override {
    CO_CHECK(co_await begin(DiskOp::kRead, path));
    if (!disk().find(path).inode) co_return missing(path);
    co_return disk().capacity_ - std::min(disk().capacity_, disk().used_bytes());
  }

  Task<Result<std::unique_ptr<FileLock>>> lock(std::string path) override {
    CO_CHECK(co_await begin(DiskOp::kOpen, path));
    auto place = disk().find(path);
    if (!place.dir) co_return missing(path);
    if (!place.inode) {
      place.inode = disk().make(false);
      link(place.dir, place.name, place.inode);
    }
    auto [it, mine] = disk().locks_.emplace(place.inode->id, &env_);
    if (!mine) co_return Error(ErrorCode::kAlreadyExists, path + " is locked by " + it->second->name());
    std::unique_ptr<FileLock> held = std::make_unique<SimFileLock>(env_, place.inode->id);
    co_return held;
  }

 private:
  SimDisk& disk() { return *env_.host().disk; }
  static Error missing(const std::string& path) { return Error(ErrorCode::kNotFound, path); }

  Task<Status> begin(DiskOp op, const std::string& path) {
    if (env_.dead()) co_return Error(ErrorCode::kClosed);
    SimDisk& d = disk();
    if (d.count(op)) co_await env_.yield();
    if (!d.instant_)
      co_await env_.delay(d.slow_ ? d.draw(d.slow_min_, d.slow_max_) : d.draw(microseconds(5), microseconds(80)));
    if (env_.dead()) co_return Error(ErrorCode::kClosed);
    if (d.planned(op, path)) co_return io_error("accessing", path);
    co_return ok();
  }
  void link(std::shared_ptr<Inode> dir, std::string name, std::shared_ptr<Inode> inode) {
    SimDisk::NameOp op;
    op.push_back({std::move(dir), std::move(name), std::move(inode)});
    disk().change(std::move(op));
  }
  void empty(const std::shared_ptr<Inode>& dir) {
    const auto entries = dir->entries;  // change() edits the original
    for (auto& [name, inode] : entries) {
      if (inode->directory) empty(inode);
      link(dir, name, nullptr);
    }
  }

  SimEnv& env_;
};

std::unique_ptr<FileSystem> make_sim_files(SimEnv& env) { return std::make_unique<SimFileSystem>(env); }

}  // namespace farshore::sim
