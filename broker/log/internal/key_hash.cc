#include "broker/log/internal/key_hash.h"

#include <bit>
#include <cstring>

namespace farshore {
namespace {

struct SipState {
  uint64_t v0, v1, v2, v3;

  void rounds(int count) {
    for (int i = 0; i < count; ++i) {
      v0 += v1;
      v1 = std::rotl(v1, 13) ^ v0;
      v0 = std::rotl(v0, 32);
      v2 += v3;
      v3 = std::rotl(v3, 16) ^ v2;
      v0 += v3;
      v3 = std::rotl(v3, 21) ^ v0;
      v2 += v1;
      v1 = std::rotl(v1, 17) ^ v2;
      v2 = std::rotl(v2, 32);
    }
  }
  void add(uint64_t word) {
    v3 ^= word;
    rounds(2);
    v0 ^= word;
  }
  uint64_t mixed() const { return v0 ^ v1 ^ v2 ^ v3; }
};

uint64_t little_endian_word(const char* at, size_t bytes) {
  static_assert(std::endian::native == std::endian::little);
  uint64_t word = 0;
  std::memcpy(&word, at, bytes);
  return word;
}

}  // namespace

KeyHash::Value KeyHash::operator()(std::string_view key) const {
  SipState state{0x736f6d6570736575 ^ seed_low_, 0x646f72616e646f6d ^ seed_high_ ^ 0xee, 0x6c7967656e657261 ^ seed_low_,
                 0x7465646279746573 ^ seed_high_};
  size_t at = 0;
  for (; at + 8 <= key.size(); at += 8) state.add(little_endian_word(key.data() + at, 8));
  state.add(uint64_t{key.size()} << 56 | (at < key.size() ? little_endian_word(key.data() + at, key.size() - at) : 0));
  Value value;
  state.v2 ^= 0xee;
  state.rounds(4);
  value.low = state.mixed();
  state.v1 ^= 0xdd;
  state.rounds(4);
  value.high = state.mixed();
  return value;
}

}  // namespace farshore
