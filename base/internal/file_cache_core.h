// The inside of FileCache: which of its files have a descriptor, and in which order they were used. For file_cache.cc
// alone.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/event.h"
#include "base/file_cache.h"

namespace farshore {

// One file that somebody holds.
struct CachedSlot {
  std::string path;
  std::shared_ptr<File> file;  // null: it has no descriptor now
  uint64_t size = 0;
  uint64_t writes = 0, synced_writes = 0;  // equal: nothing is unsynced
  bool busy = false;                       // its descriptor or its name is being changed
  bool gone = false;                       // its name is another file's, or nobody's: never closed, never opened
  bool released = false;                   // nobody holds it any more
  Error failed;                            // of a write or a sync: it stays
  std::list<CachedSlot*>::iterator place;  // in the order of use, while it has a descriptor
};
using CachedSlotPtr = std::shared_ptr<CachedSlot>;

class FileCacheCore {
 public:
  FileCacheCore(Env& env, FileSystem& files, size_t open_max)
      : env_(env), files_(files), open_max_(open_max), changed_(env) {}

  FileSystem& files() { return files_; }
  size_t open_count() const { return open_; }
  size_t open_max() const { return open_max_; }
  uint64_t refusals() const { return refusals_; }

  // A new slot for a file that is opened now.
  Task<Result<CachedSlotPtr>> add(std::string path, OpenMode mode);
  void release(CachedSlot& slot);
  // The open file; null: it must be opened.
  std::shared_ptr<File> ready(CachedSlot& slot);
  Task<Result<std::shared_ptr<File>>> open(CachedSlotPtr slot);
  Task<Status> sync(CachedSlotPtr slot);

  // Takes all slots at and below `path`, so that their names do not change meanwhile.
  Task<std::vector<CachedSlotPtr>> take(std::string path);
  void give_back(const std::vector<CachedSlotPtr>& slots);
  // The names of these slots go. Those that somebody holds stay readable.
  Task<void> forget_names(const std::vector<CachedSlotPtr>& slots);
  void rename(const CachedSlotPtr& slot, std::string path);

  // The system had no descriptor for this operation.
  template <class R>
  static bool refused(const R& result) {
    return !result && result.error() == ErrorCode::kResourceExhausted;
  }
  // Before another try, after the system had no descriptor. False: no patience is left.
  Task<bool> wait_for_descriptor(Deadline deadline);

 private:
  Task<Result<std::shared_ptr<File>>> open_file(std::string path, OpenMode mode, Deadline deadline);
  Task<void> make_room(size_t open_max);
  CachedSlot* victim(bool dirty) const;
  Task<void> sync_victim(CachedSlotPtr slot);
  void attach(CachedSlot& slot, std::shared_ptr<File> file);
  void detach(CachedSlot& slot);
  void drop_name(CachedSlot& slot);

  Env& env_;
  FileSystem& files_;
  const size_t open_max_;
  size_t open_ = 0, opening_ = 0;
  uint64_t refusals_ = 0;
  std::multimap<std::string, std::weak_ptr<CachedSlot>> by_path_;
  std::list<CachedSlot*> by_use_;  // those with a descriptor, the last used first
  Notifier changed_;               // a busy slot is free, a descriptor is free
};

}  // namespace farshore
