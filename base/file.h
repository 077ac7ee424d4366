// Files and directories. RealEnv: POSIX, page cache; blocking calls on a pool. SimEnv: a simulated disk that forgets.
// Durability: write_at resolves when the bytes are in the page cache; only sync() makes them (and the size) durable,
// and a new, renamed or removed name is durable only after sync_dir() of its directory.
// After kIo from write_at or sync the file is dead: never retry, never acknowledge (a failed fsync marks pages clean).
// Executor: the Env's, for all calls. Nothing is written or synced by a destructor.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/task.h"

namespace farshore {

class File {
 public:
  virtual ~File() = default;
  // Writes all pieces one after the other from `position` (extends the file). kNoSpace: the file may have grown by a
  // part of it; the caller truncates back. Pieces must stay valid until it resolves (normally inline).
  virtual Task<Status> write_at(uint64_t position, ConstBytesList pieces) = 0;
  // Reads up to into.size() bytes; fewer only at the end of the file. Cached bytes are read inline.
  virtual Task<Result<size_t>> read_at(uint64_t position, MutableBytes into) = 0;
  virtual Task<Status> sync() = 0;
  virtual Task<Status> truncate(uint64_t size) = 0;
  virtual uint64_t size() const = 0;  // as this process sees it
  virtual const std::string& path() const = 0;
};

class FileLock {  // held until destroyed, or until the process ends
 public:
  virtual ~FileLock() = default;
};

struct OpenMode {
  bool create = false;     // make it if it is missing
  bool exclusive = false;  // with create: kAlreadyExists if it is there
  bool truncate = false;
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;
  // Opens for reading and writing. kNotFound, kAlreadyExists, kPermissionDenied, kNoSpace, kIo.
  virtual Task<Result<std::unique_ptr<File>>> open(std::string path, OpenMode mode) = 0;
  virtual Task<Status> make_dirs(std::string path) = 0;  // with parents; fine if it exists
  // Replaces an existing `to`.
  virtual Task<Status> rename(std::string from, std::string to) = 0;
  virtual Task<Status> remove(std::string path) = 0;                          // a file or an empty directory; kNotFound
  virtual Task<Status> remove_all(std::string path) = 0;                      // with everything in it; fine if missing
  virtual Task<Result<std::vector<std::string>>> list(std::string path) = 0;  // names, sorted; kNotFound
  virtual Task<Result<bool>> exists(std::string path) = 0;
  virtual Task<Status> sync_dir(std::string path) = 0;
  virtual Task<Result<uint64_t>> free_bytes(std::string path) = 0;
  // An exclusive lock on `path` (made if missing). kAlreadyExists: another living process has it.
  virtual Task<Result<std::unique_ptr<FileLock>>> lock(std::string path) = 0;
};

// Replaces `path` by `content` so that after a crash there is the old file or the new one, whole: writes a temporary
// file, syncs it, renames, syncs the directory.
Task<Status> replace_file(FileSystem& files, std::string path, std::string content);
// The whole content; kNotFound; kResourceExhausted beyond `bytes_max`.
Task<Result<std::string>> read_file(FileSystem& files, std::string path, size_t bytes_max = 64 << 20);

std::string join_path(std::string_view directory, std::string_view name);
std::string parent_path(std::string_view path);

}  // namespace farshore
