// partition.jumps: the CRC of a batch covers neither its base_offset nor its leader epoch, so a power loss may change
// them and leave the batch valid. Where offsets or epochs go on as expected recovery can tell; where they jump (a
// mirrored gap, a new epoch) the jump is noted here before the batch is written, and recovery believes no other.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/env.h"
#include "base/ids.h"

namespace farshore {

struct Jump {
  Offset expected;  // where the log ended before
  Offset first;     // where the batch begins
  LogEpoch epoch;   // of the batch
  friend bool operator==(const Jump&, const Jump&) = default;
};

class JumpFile {
 public:
  JumpFile(Env& env, std::string path) : env_(env), path_(std::move(path)) {}

  // What is noted; entries that were torn are left out. An absent file is empty.
  Task<Result<std::vector<Jump>>> load();
  // Appends (page cache). After an error nothing new is noted.
  Task<Status> add(std::vector<Jump> jumps);
  Task<Status> sync();
  // Only when the recovery point is durably above all that is noted.
  Task<Status> clear();
  bool dirty() const { return dirty_; }
  uint64_t size_bytes() const { return size_; }

 private:
  Env& env_;
  std::string path_;
  std::unique_ptr<File> file_;
  uint64_t size_ = 0;
  bool dirty_ = false, name_dirty_ = false;
};

}  // namespace farshore
