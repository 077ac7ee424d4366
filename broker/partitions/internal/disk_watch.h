// DiskWatch: looks at the free space of the data directory once a second, and tells the partitions whether clients may
// write (log.reserve.bytes). A write that the disk refused makes it full at once, also without a reserve; it is so
// until a look finds room. Executor: the broker's. Owner: PartitionTable.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/env.h"
#include "base/gate.h"
#include "broker/partitions/partition.h"

namespace farshore::broker {

class DiskWatch {
 public:
  // `not_full` is called after each look that found more free space than the reserve.
  DiskWatch(Env& env, std::string directory, uint64_t reserve_bytes, std::function<void()> not_full);

  // Looks once; then start() has it look again until stop().
  Task<void> look();
  void start();
  Task<void> stop();

  const std::shared_ptr<DiskState>& state() const { return state_; }
  uint64_t free_bytes() const { return free_bytes_; }  // as of the last look

 private:
  Task<void> loop();

  Env& env_;
  const std::string directory_;
  const uint64_t reserve_bytes_;
  const std::function<void()> not_full_;
  std::shared_ptr<DiskState> state_;
  bool told_ = false;  // that the disk is full
  uint64_t free_bytes_ = 0;
  Event stopping_;
  Gate gate_;
};

}  // namespace farshore::broker
