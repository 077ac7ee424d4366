// StallClock: notices that this process was suspended (SIGSTOP, or its machine was suspended). Its
// owner calls tick() more often than every `pause_max`.
#pragma once

#include "base/env.h"

namespace farshore::replicator {

class StallClock {
 public:
  StallClock(Env& env, Duration pause_max) : env_(env), pause_max_(pause_max) {}

  void tick() {
    ticked_ = env_.now();
    ticked_wall_ = env_.wall_now();
  }
  // More than `pause_max` since the last tick(). A suspended machine may not count that time in its monotonic clock, so
  // the wall clock is asked too.
  bool stalled() const {
    const int64_t wall_ms = env_.wall_now().milliseconds_since_epoch - ticked_wall_.milliseconds_since_epoch;
    return env_.now() - ticked_ > pause_max_ || milliseconds(wall_ms) > pause_max_;
  }

 private:
  Env& env_;
  const Duration pause_max_;
  MonoTime ticked_;
  WallTime ticked_wall_;
};

}  // namespace farshore::replicator
