#include "base/random.h"

#include <bit>

#include "base/ensure.h"

namespace farshore {

Random::Random(uint64_t seed) {
  for (auto& word : state_) {  // splitmix64: no seed gives the all-zero state
    uint64_t z = seed += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    word = z ^ (z >> 31);
  }
}

uint64_t Random::next() {
  uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  uint64_t t = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= t;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

uint64_t Random::below(uint64_t bound) {
  ensure(bound > 0, "an empty range has no random element");
  // Lemire's multiplication; what would make small results likelier is drawn again.
  auto product = static_cast<unsigned __int128>(next()) * bound;
  if (static_cast<uint64_t>(product) < bound) {
    uint64_t unfair = (0 - bound) % bound;
    while (static_cast<uint64_t>(product) < unfair) product = static_cast<unsigned __int128>(next()) * bound;
  }
  return static_cast<uint64_t>(product >> 64);
}

int64_t Random::between(int64_t low, int64_t high) {
  ensure(low <= high, "an empty range has no random element");
  uint64_t span = static_cast<uint64_t>(high) - static_cast<uint64_t>(low) + 1;  // 0: all of them
  return static_cast<int64_t>(static_cast<uint64_t>(low) + (span == 0 ? next() : below(span)));
}

bool Random::chance(double probability) { return unit() < probability; }

double Random::unit() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

Uuid Random::uuid() {
  Uuid uuid;
  do {
    uint64_t words[2] = {next(), next()};
    for (size_t i = 0; i < 16; ++i) uuid.bytes[i] = static_cast<uint8_t>(words[i / 8] >> (56 - 8 * (i % 8)));
    uuid.bytes[6] = static_cast<uint8_t>((uuid.bytes[6] & 0x0f) | 0x40);
    uuid.bytes[8] = static_cast<uint8_t>((uuid.bytes[8] & 0x3f) | 0x80);
  } while (uuid.bytes[0] >> 2 ==
           62);  // would print with a leading '-', which tools take for an option (Kafka avoids it too)
  return uuid;
}

}  // namespace farshore
