// LeaderEpochs: the leader epochs of one log, in memory (EpochCache) and in the file leader-epoch-checkpoint.
// A change in memory makes the file out of date (dirty) until save(). An epoch that is only announced may be lost.
// Executor: the Env's. Only the holder of the log's writer lock makes changes; every caller may save().
#pragma once

#include <algorithm>
#include <optional>
#include <string>

#include "base/async_mutex.h"
#include "base/env.h"
#include "broker/log/internal/epoch_cache.h"

namespace farshore {

class LeaderEpochs {
 public:
  LeaderEpochs(Env& env, FileSystem& files, std::string directory);

  const EpochCache& cache() const { return cache_; }
  LogEpoch latest() const { return cache_.latest(); }
  // `epoch` begins at `start`, unless it has begun already.
  void assign(LogEpoch epoch, Offset start) { dirty_ |= cache_.assign(epoch, start); }
  // The same; but the file need not have it before a batch does.
  void announce(LogEpoch epoch, Offset start) { announced_ |= cache_.assign(epoch, start); }
  // The latest epoch that recovery believes of a batch without further proof: the file has it, or a note in
  // partition.jumps. A batch of a later epoch needs a note (GapFile) first.
  LogEpoch recorded() const { return recorded_; }
  void note_recorded(LogEpoch epoch) { recorded_ = std::max(recorded_, epoch); }
  // These two return whether anything changed.
  bool truncate_end(Offset to);
  bool truncate_start(Offset start);
  // Forgets every epoch. The file is removed by the caller, who then calls file_removed().
  void clear();
  void file_removed();

  bool dirty() const { return dirty_ || announced_; }
  bool changed() const { return dirty_; }          // by more than an announcement
  uint32_t file_crc() const { return file_crc_; }  // CRC-32C of the file's text; 0: no file
  // Replaces the file, durably. kNoSpace: the old file is still there. kIo.
  Task<Status> save();
  // The text of the file; nullopt: it does not exist. Sets file_crc().
  Task<Result<std::optional<std::string>>> load_text();
  // Takes over what recovery found. The caller saves it if the file differs.
  void set(EpochCache cache);

 private:
  FileSystem& files_;
  std::string path_;
  AsyncMutex file_lock_;
  EpochCache cache_;
  bool dirty_ = false, announced_ = false;
  LogEpoch recorded_{-1};
  uint32_t file_crc_ = 0;
};

}  // namespace farshore
