// KeyHash: SipHash-2-4 with 128 bits of output (Aumasson, Bernstein), with a secret seed. Two keys with the same hash
// would lose one of them in compaction. Nobody can choose such keys without the seed, and by chance they do not occur.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/random.h"

namespace farshore {

class KeyHash {
 public:
  struct Value {
    uint64_t low = 0, high = 0;
    friend bool operator==(const Value&, const Value&) = default;
  };
  explicit KeyHash(Random& random) : KeyHash(random.next(), random.next()) {}
  KeyHash(uint64_t seed_low, uint64_t seed_high) : seed_low_(seed_low), seed_high_(seed_high) {}

  Value operator()(std::string_view key) const;

 private:
  uint64_t seed_low_, seed_high_;
};

}  // namespace farshore
