// Faults: the faults of a run, drawn from its seed.
#pragma once

#include <functional>

#include "tests/simulation/clusters.h"

namespace farshore::simulation {

class Faults {
 public:
  // `look` is called before each fault that takes memory or unsynced bytes away.
  Faults(Clusters& clusters, std::function<void()> look) : clusters_(clusters), look_(std::move(look)) {}

  void one();  // draws one fault
  // Cancels all faults that are prepared but have not happened.
  void end() { ++round_; }
  // Kills the process before its n-th resumption from now; n is drawn from [1, most].
  void kill_at_resumption(sim::SimEnv& env, int64_t most);
  void lose_power(Node& node);
  size_t count() const { return count_; }

 private:
  const char* pick_host();
  void slow_link(const char* a, const char* b);
  void pause_one();
  void disk_fault(Node& node);
  void jump_clock();

  Clusters& clusters_;
  std::function<void()> look_;
  uint64_t round_ = 0;
  size_t count_ = 0;
};

}  // namespace farshore::simulation
