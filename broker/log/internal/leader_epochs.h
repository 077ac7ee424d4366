// LeaderEpochs: the leader epochs of one log, in memory (EpochCache) and in the file leader-epoch-checkpoint.
// A change in memory makes the file out of date (dirty) until save().
// Executor: the Env's. Only the holder of the log's writer lock makes changes; every caller may save().
#pragma once

#include <optional>
#include <string>

#include "base/async_mutex.h"
#include "base/env.h"
#include "broker/log/internal/epoch_cache.h"

namespace farshore {

class LeaderEpochs {
 public:
  LeaderEpochs(Env& env, std::string directory);

  const EpochCache& cache() const { return cache_; }
  LogEpoch latest() const { return cache_.latest(); }
  // `epoch` begins at `start`, unless it has begun already.
  void assign(LogEpoch epoch, Offset start) { dirty_ |= cache_.assign(epoch, start); }
  // These two return whether anything changed.
  bool truncate_end(Offset to);
  bool truncate_start(Offset start);
  // Forgets every epoch. The file is removed by the caller, who then calls file_removed().
  void clear() { cache_.clear(); }
  void file_removed();

  bool dirty() const { return dirty_; }
  uint32_t file_crc() const { return file_crc_; }  // CRC-32C of the file's text; 0: no file
  // Replaces the file, durably. kNoSpace: the old file is still there. kIo.
  Task<Status> save();
  // The text of the file; nullopt: it does not exist. Sets file_crc().
  Task<Result<std::optional<std::string>>> load_text();
  // Takes over what recovery found. The caller saves it if the file differs.
  void set(EpochCache cache) { cache_ = std::move(cache); }

 private:
  FileSystem& files_;
  std::string path_;
  AsyncMutex file_lock_;
  EpochCache cache_;
  bool dirty_ = false;
  uint32_t file_crc_ = 0;
};

}  // namespace farshore
