// partition.checkpoint: the few numbers of a partition that cannot be derived from its segments. The file has two slots
// with a sequence number, which are written in place. A write never goes over the slot that was synced last: if the
// write is torn or lost, that slot is still valid.
// Executor: the Env's.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/async_mutex.h"
#include "base/env.h"
#include "base/event.h"

namespace farshore {

struct PartitionCheckpoint {
  Offset recovery_point;  // everything below it was durable when this was written
  Offset log_start;
  Offset high_watermark;    // a lower bound
  Offset cleaned_to;        // the cleaner has read everything below it
  Offset compacted_to;      // at or above it, no batch was ever changed by the cleaner
  uint32_t epochs_crc = 0;  // of the text of leader-epoch-checkpoint
  // Written by a clean close: base offset and size of the active segment, and the log's end. If opening finds a
  // different segment or size, the log was appended to or cut after the close.
  Offset clean_segment{-1};
  int64_t clean_size = -1;
  Offset clean_end{-1};
  friend bool operator==(const PartitionCheckpoint&, const PartitionCheckpoint&) = default;
};

class CheckpointFile {
 public:
  enum class Durability {
    kCached,   // a power loss may bring an older checkpoint back; recovery then reads more
    kDurable,  // from now on, opening finds this checkpoint or a newer one
  };

  CheckpointFile(Env& env, FileSystem& files, std::string path) : files_(files), path_(std::move(path)), mutex_(env) {}

  // kNotFound: the file does not exist. kCorrupt: no slot is valid.
  Task<Result<PartitionCheckpoint>> load();
  // Creates the file if it is missing. Its name becomes durable when the directory is synced next.
  Task<Status> save(PartitionCheckpoint checkpoint, Durability durability);
  // The same for a caller that does not hold the log's writer lock, or changes the log by what it saves. `make` is
  // called when it is this call's turn, and `stored` before the turn of the next one: no save that had to wait brings
  // back what was true before.
  Task<Status> save(std::function<PartitionCheckpoint()> make, Durability durability,
                    std::function<void()> stored = nullptr);
  void close() { file_.reset(); }
  // What was loaded or saved last; nullopt: nothing, or a save failed.
  const std::optional<PartitionCheckpoint>& stored() const { return stored_; }

 private:
  Task<Status> write(PartitionCheckpoint checkpoint, Durability durability);

  FileSystem& files_;
  std::string path_;
  AsyncMutex mutex_;
  std::unique_ptr<File> file_;
  std::optional<PartitionCheckpoint> stored_;
  uint64_t sequence_ = 0;
  size_t synced_slot_ = 0;
  bool loaded_unsynced_ = false;  // the slot that load() returned may be in the page cache only
};

}  // namespace farshore
