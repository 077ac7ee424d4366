// GapFile: partition.jumps, the notes about offset gaps and new epochs above the recovery point.
//
// The CRC of a batch covers neither its base offset nor its leader epoch. A power loss can change these two and leave a
// batch that looks valid. Recovery notices this where offsets and epochs continue without a gap. Where they do not
// continue (a mirrored gap, a new epoch), the log notes the gap here before it writes the batch. The file itself may be
// lost or damaged: a missing note is no proof against a batch (Continuity).
//
// Notes are added under the log's writer lock, and cleared by flushes without it: the file has a lock of its own. A
// note is there before its batch, so who clears looks at the notes, not at the log's end. Executor: the Env's.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/async_mutex.h"
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

  GapFile(Env& env, FileSystem& files, std::string path) : env_(env), files_(files), path_(std::move(path)) {}

  // All gaps in the file, without torn entries. None if the file does not exist.
  Task<Result<std::vector<Gap>>> load();
  // Whether load() found notes, and every one of them was valid. Otherwise notes may be missing.
  bool whole() const { return whole_; }
  // Appends to the file (page cache). After an error nothing was noted.
  Task<Status> add(std::vector<Gap> gaps);
  Task<Status> sync();
  // Empties the file. Only while nothing is appended, and when the recovery point is durably above every gap in it.
  Task<Status> clear();
  // Empties the file if `recovery_point`, which is durable, is above every gap in it, and `still` says so, too: the log
  // was not cut meanwhile. Appends may be running.
  Task<Status> clear_below(Offset recovery_point, std::function<bool()> still);
  void close() { file_.reset(); }
  bool dirty() const { return synced_notes_ != notes_; }  // not synced since the last add()
  uint64_t size_bytes() const { return size_; }

 private:
  Task<AsyncMutex::Guard> lock();
  Task<Status> empty();

  Env& env_;
  FileSystem& files_;
  std::string path_;
  std::unique_ptr<AsyncMutex> lock_;  // of the file's content; null: most logs have no gap
  std::unique_ptr<File> file_;
  bool whole_ = false;
  uint64_t size_ = 0;
  Offset last_gap_{-1};                    // the highest `first` in the file
  uint64_t notes_ = 0, synced_notes_ = 0;  // how many were ever added
  bool name_dirty_ = false;
};

}  // namespace farshore
