// GapFile: partition.jumps, the notes about offset gaps and new epochs above the recovery point.
//
// The CRC of a batch covers neither its base offset nor its leader epoch. A power loss can change these two and leave a
// batch that looks valid. Recovery notices this where offsets and epochs continue without a gap. Where they do not
// continue (a mirrored gap, a new epoch), the log notes the gap here before it writes the batch, and recovery accepts
// no gap that is not noted.
// Executor: the Env's.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/env.h"
#include "base/ids.h"

namespace farshore {

struct Gap {
  Offset expected;  // the log's end before the batch
  Offset first;     // the base offset of the batch
  LogEpoch epoch;   // of the batch
  friend auto operator<=>(const Gap&, const Gap&) = default;
};

class GapFile {
 public:
  static constexpr uint64_t kBytesMax = 1 << 20;  // Appender has the notes forgotten before there are more

  GapFile(FileSystem& files, std::string path) : files_(files), path_(std::move(path)) {}

  // All gaps in the file, without torn entries. None if the file does not exist.
  Task<Result<std::vector<Gap>>> load();
  // Appends to the file (page cache). After an error nothing was noted.
  Task<Status> add(std::vector<Gap> gaps);
  Task<Status> sync();
  // Empties the file. Call it only when the recovery point is durably above every gap in it.
  Task<Status> clear();
  void close() { file_.reset(); }
  bool dirty() const { return dirty_; }  // not synced since the last add()
  uint64_t size_bytes() const { return size_; }

 private:
  FileSystem& files_;
  std::string path_;
  std::unique_ptr<File> file_;
  uint64_t size_ = 0;
  bool dirty_ = false, name_dirty_ = false;
};

}  // namespace farshore
