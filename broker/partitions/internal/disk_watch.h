// DiskWatch: looks at the free space of the data directory once a second, and tells the partitions whether clients may
// write (log.reserve.bytes). A write that the disk refused makes it full at once, also without a reserve. It is so
// until that write would surely fit (so much more is free), or until a trial was written: after a pause, which grows,
// one append is let through. Executor: the broker's. Owner: PartitionTable.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/env.h"
#include "base/gate.h"
#include "broker/partitions/partition.h"

namespace farshore::broker {

class DiskWatch {
 public:
  // `not_full` is called after each look that found room, or after which a trial may be made.
  DiskWatch(Env& env, std::string directory, uint64_t reserve_bytes, std::function<void()> not_full);

  // Looks once; then start() has it look again until stop().
  Task<void> look();
  void start();
  Task<void> stop();

  const std::shared_ptr<DiskState>& state() const { return state_; }
  uint64_t free_bytes() const { return free_bytes_; }  // as of the last look

 private:
  Task<void> loop();
  void note_refusals(uint64_t free_then);
  bool refuses_writes();

  Env& env_;
  const std::string directory_;
  const uint64_t reserve_bytes_;
  const std::function<void()> not_full_;
  std::shared_ptr<DiskState> state_;
  bool told_ = false;  // that the disk is full
  uint64_t free_bytes_ = 0;
  uint64_t refused_ = 0;                // of DiskState::refused
  std::optional<MonoTime> refused_at_;  // the last one
  std::optional<uint64_t> room_bytes_;  // so much free is surely room; nullopt: no write was refused
  Duration pause_{};
  Event stopping_;
  Gate gate_;
};

}  // namespace farshore::broker
