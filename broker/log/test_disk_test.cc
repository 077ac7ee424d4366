#include <algorithm>

#include "broker/log/test_disk.h"

namespace farshore::log_test {
namespace {

Error gone() { return {ErrorCode::kClosed, "the process is dead"}; }

void change(std::string& content, const Inode::Write& write) {
  if (write.truncate) {
    content.resize(write.position);
    return;
  }
  if (content.size() < write.position + write.bytes.size()) content.resize(write.position + write.bytes.size());
  content.replace(write.position, write.bytes.size(), write.bytes);
}

class TestFile final : public File {
 public:
  TestFile(TestEnv& env, Disk& disk, std::shared_ptr<Inode> inode, std::string path)
      : env_(env), disk_(disk), inode_(std::move(inode)), path_(std::move(path)) {}

  Task<Status> write_at(uint64_t position, ConstBytesList pieces) override {
    if (!env_.step()) co_return gone();
    std::string bytes;
    for (auto piece : pieces) bytes.append(as_text(piece));
    uint64_t grows = std::max<uint64_t>(inode_->now.size(), position + bytes.size()) - inode_->now.size();
    uint64_t room = disk_.space == UINT64_MAX ? UINT64_MAX : disk_.space - std::min(disk_.space, disk_.used());
    bool full = grows > room;
    if (full) bytes.resize(bytes.size() - (grows - room));
    Inode::Write write{position, std::move(bytes)};
    if (!write.bytes.empty()) {
      change(inode_->now, write);
      inode_->unsynced.push_back(std::move(write));
    }
    if (full) co_return Error(ErrorCode::kNoSpace, path_);
    co_return ok();
  }
  Task<Result<size_t>> read_at(uint64_t position, MutableBytes into) override {
    if (env_.dead()) co_return gone();
    if (position >= inode_->now.size()) co_return 0;
    size_t n = std::min<size_t>(into.size(), inode_->now.size() - position);
    std::memcpy(into.data(), inode_->now.data() + position, n);
    co_return n;
  }
  Task<Status> sync() override {
    if (!env_.step()) co_return gone();
    if (++env_.syncs == env_.fail_sync_at) co_return Error(ErrorCode::kIo, path_ + ": sync failed");
    inode_->durable = inode_->now;
    inode_->unsynced.clear();
    co_return ok();
  }
  Task<Status> truncate(uint64_t size) override {
    if (!env_.step()) co_return gone();
    Inode::Write write{size, {}, true};
    change(inode_->now, write);
    inode_->unsynced.push_back(write);
    co_return ok();
  }
  uint64_t size() const override { return inode_->now.size(); }
  const std::string& path() const override { return path_; }

 private:
  TestEnv& env_;
  Disk& disk_;
  std::shared_ptr<Inode> inode_;
  std::string path_;
};

}  // namespace

uint64_t Disk::used() const {
  uint64_t total = 0;
  for (const auto& [name, inode] : names) total += inode->now.size();
  return total;
}

void Disk::set_name(const std::string& path, std::shared_ptr<Inode> inode) {
  if (inode)
    names[path] = inode;
  else
    names.erase(path);
  unsynced_names[parent_path(path)].emplace_back(path, std::move(inode));
}

void Disk::power_loss(Random& random) {
  // Names: of what was not synced, a prefix survives, as a journal would have it.
  for (auto& [directory, changes] : unsynced_names) {
    uint64_t kept = random.below(changes.size() + 1);
    for (uint64_t i = 0; i < kept; ++i) {
      if (changes[i].second)
        durable_names[changes[i].first] = changes[i].second;
      else
        durable_names.erase(changes[i].first);
    }
  }
  unsynced_names.clear();
  names = durable_names;
  std::set<Inode*> seen;
  for (auto& [path, inode] : names) {
    if (!seen.insert(inode.get()).second) continue;
    std::string content = inode->durable;
    for (auto write : inode->unsynced) {
      switch (random.below(4)) {
        case 0:
          change(content, write);
          break;
        case 1:
          break;  // dropped
        case 2:   // torn
          write.bytes.resize(random.below(write.bytes.size() + 1));
          change(content, write);
          break;
        case 3:
          for (uint64_t i = 0, n = random.below(8); i < n && !write.bytes.empty(); ++i)
            write.bytes[random.below(write.bytes.size())] = static_cast<char>(random.next());
          change(content, write);
      }
    }
    inode->now = inode->durable = content;
    inode->unsynced.clear();
  }
}

Task<Result<std::unique_ptr<File>>> TestFiles::open(std::string path, OpenMode mode) {
  if (!env_.step()) co_return gone();
  auto found = disk_.names.find(path);
  if (found != disk_.names.end() && mode.create && mode.exclusive) co_return Error(ErrorCode::kAlreadyExists, path);
  if (found == disk_.names.end()) {
    if (!mode.create) co_return Error(ErrorCode::kNotFound, path);
    disk_.set_name(path, std::make_shared<Inode>());
    found = disk_.names.find(path);
  }
  std::unique_ptr<File> file = std::make_unique<TestFile>(env_, disk_, found->second, path);
  if (mode.truncate && file->size() > 0) CO_CHECK(co_await file->truncate(0));
  co_return file;
}

Task<Status> TestFiles::make_dirs(std::string path) {
  if (!env_.step()) co_return gone();
  disk_.directories.insert(path);
  co_return ok();
}

Task<Status> TestFiles::rename(std::string from, std::string to) {
  if (!env_.step()) co_return gone();
  auto found = disk_.names.find(from);
  if (found == disk_.names.end()) co_return Error(ErrorCode::kNotFound, from);
  auto inode = found->second;
  disk_.set_name(to, inode);
  disk_.set_name(from, nullptr);
  // Atomic in the journal: both or neither. The prefix may cut between them, so join them.
  auto& changes = disk_.unsynced_names[parent_path(to)];
  std::swap(changes[changes.size() - 1], changes[changes.size() - 2]);
  co_return ok();
}

Task<Status> TestFiles::remove(std::string path) {
  if (!env_.step()) co_return gone();
  if (!disk_.names.count(path)) co_return Error(ErrorCode::kNotFound, path);
  disk_.set_name(path, nullptr);
  co_return ok();
}

Task<Status> TestFiles::remove_all(std::string path) {
  if (!env_.step()) co_return gone();
  for (auto at = disk_.names.lower_bound(path + "/"); at != disk_.names.end() && at->first.starts_with(path + "/");) {
    std::string name = (at++)->first;
    disk_.set_name(name, nullptr);
  }
  co_return ok();
}

Task<Result<std::vector<std::string>>> TestFiles::list(std::string path) {
  if (!env_.step()) co_return gone();
  std::vector<std::string> names;
  for (const auto& [name, inode] : disk_.names)
    if (parent_path(name) == path) names.push_back(name.substr(path.size() + 1));
  co_return names;
}

Task<Result<bool>> TestFiles::exists(std::string path) { co_return disk_.names.count(path) != 0; }

Task<Status> TestFiles::sync_dir(std::string path) {
  if (!env_.step()) co_return gone();
  for (auto& [name, inode] : disk_.unsynced_names[path]) {
    if (inode)
      disk_.durable_names[name] = inode;
    else
      disk_.durable_names.erase(name);
  }
  disk_.unsynced_names.erase(path);
  co_return ok();
}

Task<Result<uint64_t>> TestFiles::free_bytes(std::string) { co_return disk_.space - disk_.used(); }

Task<Result<std::unique_ptr<FileLock>>> TestFiles::lock(std::string path) {
  co_return Error(ErrorCode::kUnsupported, path);
}

}  // namespace farshore::log_test
