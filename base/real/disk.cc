#include "base/real/disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <system_error>

#include "base/real/internal/file_syncs.h"
#include "base/real/pool.h"

namespace farshore {
namespace {

constexpr size_t kPiecesPerWrite = 64;

class PosixFile final : public File {
 public:
  PosixFile(BlockingPool& pool, std::shared_ptr<FileSyncs> syncs, std::shared_ptr<Descriptor> fd, std::string path,
            uint64_t size)
      : pool_(pool),
        syncs_(std::move(syncs)),
        fd_(std::move(fd)),
        path_(std::move(path)),
        synced_(std::make_shared<SyncedFile>(fd_, path_)),
        size_(size) {}

  Task<Status> write_at(uint64_t position, ConstBytesList pieces) override { co_return write(position, pieces); }

  Task<Result<size_t>> read_at(uint64_t position, MutableBytes into) override {
    size_t done = 0;
    while (done < into.size()) {
      iovec part{into.data() + done, into.size() - done};
      ssize_t n = nowait_ ? ::preadv2(fd_->number, &part, 1, static_cast<off_t>(position + done), RWF_NOWAIT) : -1;
      if (n > 0) {
        done += static_cast<size_t>(n);
        continue;
      }
      if (n == 0) co_return done;
      if (nowait_ && errno == EINTR) continue;
      if (nowait_ && errno == EOPNOTSUPP) nowait_ = false;  // this file system does not tell cached from cold
      if (nowait_ && errno != EAGAIN) co_return file_error(errno, "reading " + path_);
      auto job = [fd = fd_, path = path_, at = position + done, rest = into.subspan(done)] {
        return read_blocking(fd->number, path, at, rest);
      };
      CO_TRY(size_t cold, co_await pool_.run(std::move(job)));
      co_return done + cold;
    }
    co_return done;
  }

  Task<Status> sync() override {
    if (failed_.code != ErrorCode::kNone) co_return failed_;
    auto synced = co_await syncs_->sync(synced_);
    if (!synced && !(synced.error() == ErrorCode::kClosed)) {
      // Whatever the reason: the kernel may have marked unwritten pages clean, so no later sync proves anything.
      failed_ = Error(ErrorCode::kIo, synced.error().to_string());
      co_return failed_;
    }
    co_return synced;
  }

  Task<Status> truncate(uint64_t size) override {
    if (failed_.code != ErrorCode::kNone) co_return failed_;
    auto job = [fd = fd_, path = path_, size]() -> Status {
      while (::ftruncate(fd->number, static_cast<off_t>(size)) != 0)
        if (errno != EINTR) return file_error(errno, "truncating " + path);
      return ok();
    };
    CO_CHECK(co_await pool_.run(std::move(job)));
    size_ = size;
    co_return ok();
  }

  uint64_t size() const override { return size_; }
  const std::string& path() const override { return path_; }
  int descriptor() const { return fd_->number; }

 private:
  Status write(uint64_t position, ConstBytesList pieces) {
    if (failed_.code != ErrorCode::kNone) return failed_;
    size_t index = 0, skip = 0;  // the first byte that is not written yet
    for (;;) {
      iovec parts[kPiecesPerWrite];
      int count = 0;
      size_t from = skip;
      for (size_t i = index; i < pieces.size() && count < static_cast<int>(kPiecesPerWrite); ++i, from = 0) {
        if (pieces[i].size() == from) continue;
        parts[count++] = {const_cast<std::byte*>(pieces[i].data()) + from, pieces[i].size() - from};
      }
      if (count == 0) return ok();
      ssize_t n = ::pwritev(fd_->number, parts, count, static_cast<off_t>(position));
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) {
        Error error = file_error(n == 0 ? EIO : errno, "writing " + path_);
        if (!(error == ErrorCode::kNoSpace)) failed_ = error = Error(ErrorCode::kIo, error.detail);
        return error;
      }
      position += static_cast<uint64_t>(n);
      size_ = std::max(size_, position);
      for (auto left = static_cast<size_t>(n); left > 0;) {
        size_t here = std::min(left, pieces[index].size() - skip);
        left -= here;
        skip += here;
        if (skip == pieces[index].size()) ++index, skip = 0;
      }
    }
  }

  static Result<size_t> read_blocking(int fd, const std::string& path, uint64_t position, MutableBytes into) {
    size_t done = 0;
    while (done < into.size()) {
      ssize_t n = ::pread(fd, into.data() + done, into.size() - done, static_cast<off_t>(position + done));
      if (n == 0) break;
      if (n > 0) done += static_cast<size_t>(n);
      if (n < 0 && errno != EINTR) return file_error(errno, "reading " + path);
    }
    return done;
  }

  BlockingPool& pool_;
  const std::shared_ptr<FileSyncs> syncs_;
  std::shared_ptr<Descriptor> fd_;
  std::string path_;
  std::shared_ptr<SyncedFile> synced_;
  uint64_t size_;
  Error failed_;
  bool nowait_ = true;
};

class FlockLock final : public FileLock {
 public:
  explicit FlockLock(int fd) : fd_(fd) {}

 private:
  Descriptor fd_;  // closing it lets the lock go
};

Result<std::vector<std::string>> list_blocking(const std::string& path) {
  DIR* directory = ::opendir(path.c_str());
  if (!directory) return file_error(errno, "listing " + path);
  std::vector<std::string> names;
  errno = 0;
  while (dirent* entry = ::readdir(directory)) {
    std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  int failure = errno;
  ::closedir(directory);
  if (failure != 0) return file_error(failure, "listing " + path);
  std::sort(names.begin(), names.end());
  return names;
}

struct OpenedFile {
  std::shared_ptr<Descriptor> fd;
  uint64_t size = 0;
  dev_t file_system = 0;
};

Result<OpenedFile> open_blocking(const std::string& path, OpenMode mode) {
  int flags = O_RDWR | O_CLOEXEC;
  if (mode.create) flags |= O_CREAT;
  if (mode.create && mode.exclusive) flags |= O_EXCL;
  if (mode.truncate) flags |= O_TRUNC;
  int fd = ::open(path.c_str(), flags, 0644);
  if (fd < 0) return file_error(errno, "opening " + path);
  auto opened = std::make_shared<Descriptor>(fd);
  struct stat status {};
  if (::fstat(fd, &status) != 0) return file_error(errno, "opening " + path);
  return OpenedFile{std::move(opened), static_cast<uint64_t>(status.st_size), status.st_dev};
}

// What hears of every error of the file system of `file` from now on: its directory, which no deletion of the file
// frees too late. Null: syncfs() proves nothing there.
Result<std::shared_ptr<Descriptor>> open_file_system(dev_t id, const std::string& path) {
  int fd = ::open(parent_path(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) {
    Error failure = file_error(errno, "opening the directory of " + path);
    if (failure == ErrorCode::kResourceExhausted) return failure;
    return std::shared_ptr<Descriptor>();  // it may not be read, or was renamed
  }
  auto directory = std::make_shared<Descriptor>(fd);
  struct stat status {};
  if (::fstat(fd, &status) != 0 || status.st_dev != id || !syncfs_is_proof(fd)) directory.reset();
  return directory;
}

Result<int> lock_blocking(const std::string& path) {
  int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return file_error(errno, "locking " + path);
  if (::flock(fd, LOCK_EX | LOCK_NB) == 0) return fd;
  int failure = errno;
  ::close(fd);
  if (failure == EWOULDBLOCK) return Error(ErrorCode::kAlreadyExists, path + " is locked by another process");
  return file_error(failure, "locking " + path);
}

Status sync_dir_blocking(const std::string& path) {
  int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return file_error(errno, "syncing directory " + path);
  int failure = ::fsync(fd) == 0 ? 0 : errno;
  ::close(fd);
  if (failure != 0) return Error(ErrorCode::kIo, file_error(failure, "syncing directory " + path).detail);
  return ok();
}

Status from_std(const std::error_code& failure, const std::string& what) {
  if (failure) return file_error(failure.value(), what);
  return ok();
}

class PosixFiles final : public FileSystem {
 public:
  PosixFiles(Reactor& reactor, BlockingPool& pool, BlockingPool& syncs)
      : reactor_(reactor), pool_(pool), syncs_(syncs) {}

  Task<Result<std::unique_ptr<File>>> open(std::string path, OpenMode mode) override {
    auto job = [path, mode] { return open_blocking(path, mode); };
    CO_TRY(OpenedFile opened, co_await pool_.run(std::move(job)));
    CO_TRY(auto syncs, co_await syncs_of(opened.file_system, path));
    std::unique_ptr<File> file =
        std::make_unique<PosixFile>(pool_, std::move(syncs), std::move(opened.fd), std::move(path), opened.size);
    co_return file;
  }
  Task<Status> make_dirs(std::string path) override {
    auto job = [path]() -> Status {
      std::error_code failure;
      std::filesystem::create_directories(path, failure);
      return from_std(failure, "making directory " + path);
    };
    co_return co_await pool_.run(std::move(job));
  }
  Task<Status> rename(std::string from, std::string to) override {
    auto job = [from, to]() -> Status {
      if (::rename(from.c_str(), to.c_str()) != 0) return file_error(errno, "renaming " + from + " to " + to);
      return ok();
    };
    co_return co_await pool_.run(std::move(job));
  }
  Task<Status> remove(std::string path) override {
    auto job = [path]() -> Status {
      if (::remove(path.c_str()) != 0) return file_error(errno, "removing " + path);
      return ok();
    };
    co_return co_await pool_.run(std::move(job));
  }
  Task<Status> remove_all(std::string path) override {
    auto job = [path]() -> Status {
      std::error_code failure;
      std::filesystem::remove_all(path, failure);
      return from_std(failure, "removing " + path);
    };
    co_return co_await pool_.run(std::move(job));
  }
  Task<Result<std::vector<std::string>>> list(std::string path) override {
    auto job = [path] { return list_blocking(path); };
    co_return co_await pool_.run(std::move(job));
  }
  Task<Result<bool>> exists(std::string path) override {
    auto job = [path]() -> Result<bool> {
      struct stat status {};
      if (::stat(path.c_str(), &status) == 0) return true;
      if (errno == ENOENT || errno == ENOTDIR) return false;
      return file_error(errno, "looking for " + path);
    };
    co_return co_await pool_.run(std::move(job));
  }
  Task<Status> sync_dir(std::string path) override {
    auto job = [path] { return sync_dir_blocking(path); };
    co_return co_await syncs_.run(std::move(job));
  }
  Task<Result<uint64_t>> free_bytes(std::string path) override {
    auto job = [path]() -> Result<uint64_t> {
      struct statvfs status {};
      if (::statvfs(path.c_str(), &status) != 0) return file_error(errno, "measuring " + path);
      return static_cast<uint64_t>(status.f_bavail) * status.f_frsize;
    };
    co_return co_await pool_.run(std::move(job));
  }
  Task<Result<std::unique_ptr<FileLock>>> lock(std::string path) override {
    auto job = [path] { return lock_blocking(path); };
    CO_TRY(int fd, co_await pool_.run(std::move(job)));
    std::unique_ptr<FileLock> held = std::make_unique<FlockLock>(fd);
    co_return held;
  }

 private:
  // Of the file system `id`. It lives as long as a file of it is open.
  Task<Result<std::shared_ptr<FileSyncs>>> syncs_of(dev_t id, std::string path) {
    if (auto known = by_file_system_[id].lock()) co_return known;
    auto job = [id, path] { return open_file_system(id, path); };
    CO_TRY(auto file_system, co_await pool_.run(std::move(job)));
    if (auto known = by_file_system_[id].lock()) co_return known;  // another file was faster
    std::erase_if(by_file_system_, [](const auto& entry) { return entry.second.expired(); });
    auto syncs = std::make_shared<FileSyncs>(reactor_, syncs_, std::move(file_system), system_sync_calls());
    by_file_system_[id] = syncs;
    co_return syncs;
  }

  Reactor& reactor_;
  BlockingPool& pool_;
  BlockingPool& syncs_;
  std::map<dev_t, std::weak_ptr<FileSyncs>> by_file_system_;  // of files that are open
};

}  // namespace

std::unique_ptr<FileSystem> make_posix_files(Reactor& reactor, BlockingPool& pool, BlockingPool& syncs) {
  return std::make_unique<PosixFiles>(reactor, pool, syncs);
}

int descriptor_of(File& file) {
  auto* posix = dynamic_cast<PosixFile*>(&file);
  return posix ? posix->descriptor() : -1;
}

Error file_error(int number, const std::string& what) {
  ErrorCode code = ErrorCode::kIo;
  switch (number) {
    case ENOENT:
      code = ErrorCode::kNotFound;
      break;
    case EEXIST:
      code = ErrorCode::kAlreadyExists;
      break;
    case EACCES:
    case EPERM:
    case EROFS:
      code = ErrorCode::kPermissionDenied;
      break;
    case ENOSPC:
    case EDQUOT:
      code = ErrorCode::kNoSpace;
      break;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
      code = ErrorCode::kResourceExhausted;
      break;
    case ENOTEMPTY:
      code = ErrorCode::kConflict;
      break;
    case EISDIR:
    case ENOTDIR:
    case ENAMETOOLONG:
    case EINVAL:
    case ELOOP:
    case EXDEV:
      code = ErrorCode::kInvalidArgument;
      break;
    default:
      break;
  }
  return Error(code, what + ": " + std::error_code(number, std::system_category()).message());
}

}  // namespace farshore
