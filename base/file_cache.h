// FileCache: a FileSystem whose files need not be open to be in use. At most `open_max` of them have a descriptor; the
// one that was used longest ago is closed for another one, and opened again when it is used. So a process may have more
// files than the system allows it descriptors.
//
//  - A file with unsynced bytes is synced before it is closed: a failed sync is never lost, and stays with the file.
//  - A file that is removed or replaced by a new name stays readable through the File that somebody holds: it is opened
//    before its name goes, and not closed any more.
//  - A file in use is not closed. If all are in use, one more is opened beyond the limit.
//  - If the system refuses a descriptor (EMFILE, ENFILE), the cache closes files, waits, and tries again. Operations on
//  a
//    File, sync_dir, list and remove_all wait as long as it takes, as they wait for a slow disk: what has begun is not
//    given up. open() gives up after kPatience with kUnavailable: nothing was done, try again.
//
// All changes of names below a directory go through the same cache: files are opened again by name.
// Executor: the Env's. Files may outlive the cache.
#pragma once

#include <memory>

#include "base/env.h"

namespace farshore {

class FileCache final : public FileSystem {
 public:
  static constexpr Duration kPatience = seconds(10);

  FileCache(Env& env, FileSystem& files, size_t open_max);
  ~FileCache() override;

  Task<Result<std::unique_ptr<File>>> open(std::string path, OpenMode mode) override;
  Task<Status> make_dirs(std::string path) override;
  Task<Status> rename(std::string from, std::string to) override;
  Task<Status> remove(std::string path) override;
  Task<Status> remove_all(std::string path) override;
  Task<Result<std::vector<std::string>>> list(std::string path) override;
  Task<Result<bool>> exists(std::string path) override;
  Task<Status> sync_dir(std::string path) override;
  Task<Result<uint64_t>> free_bytes(std::string path) override;
  Task<Result<std::unique_ptr<FileLock>>> lock(std::string path) override;

  size_t open_count() const;  // files with a descriptor
  size_t open_max() const;
  uint64_t refusals() const;  // how often the system had no descriptor

 private:
  std::shared_ptr<class FileCacheCore> core_;
};

// The file of the Env behind `file`, with a descriptor for as long as the pointer lives: what sendfile needs. If `file`
// is of no cache, the pointer is to `file` itself, and keeps nothing alive.
Task<Result<std::shared_ptr<File>>> pin_file(File& file);

}  // namespace farshore
