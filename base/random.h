// Random numbers come from an Env: seeded in the simulation, from the kernel once in a real process. xoshiro256**
// (Blackman, Vigna), seeded by splitmix64. Not for secrets: those come from OpenSSL.
#pragma once

#include <cstdint>

#include "base/ids.h"

namespace farshore {

class Random {
 public:
  explicit Random(uint64_t seed);
  uint64_t next();
  uint64_t below(uint64_t bound);              // uniform in [0, bound); bound > 0
  int64_t between(int64_t low, int64_t high);  // uniform in [low, high]
  bool chance(double probability);             // true with this probability
  double unit();                               // uniform in [0, 1)
  Uuid uuid();                                 // never zero; version 4 bits as in Kafka's ids
  Random fork() { return Random(next()); }     // an independent stream

 private:
  uint64_t state_[4];
};

}  // namespace farshore
