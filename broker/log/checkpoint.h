// partition.checkpoint: the few numbers of a partition that its log cannot tell. Two slots with a sequence number,
// written in place: never over the one that was synced last, so that a write which is torn or lost leaves that one.
#pragma once

#include <memory>
#include <string>

#include "base/async_mutex.h"
#include "base/env.h"
#include "base/event.h"

namespace farshore {

struct PartitionCheckpoint {
  Offset recovery_point;  // everything below was durable when this was written
  Offset log_start;
  Offset high_watermark;    // a lower bound
  Offset cleaned_to;        // compaction has seen everything below
  uint32_t epochs_crc = 0;  // of leader-epoch-checkpoint's text
  // Set by a clean close: the active segment, its size and the end. Anything else found at opening means that the log
  // was written to, or cut, afterwards.
  Offset clean_segment{-1};
  int64_t clean_size = -1;
  Offset clean_end{-1};
};

class CheckpointFile {
 public:
  enum class Durability {
    kCached,   // may be lost: fine for numbers that only make recovery shorter
    kDurable,  // neither an older one nor none can be found from now on
  };

  CheckpointFile(Env& env, std::string path) : env_(env), path_(std::move(path)), mutex_(env) {}

  // kNotFound: no file. kCorrupt: no valid slot.
  Task<Result<PartitionCheckpoint>> load();
  // Makes the file if needed (its name becomes durable with the directory's next sync).
  Task<Status> save(PartitionCheckpoint checkpoint, Durability durability);

 private:
  Env& env_;
  std::string path_;
  AsyncMutex mutex_;
  std::unique_ptr<File> file_;
  uint64_t sequence_ = 0;
  size_t synced_slot_ = 0;
  bool loaded_unsynced_ = false;  // what was loaded may be in the page cache only
};

}  // namespace farshore
