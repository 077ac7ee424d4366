#include "broker/log/internal/key_hash.h"

#include <gtest/gtest.h>

#include <string>

namespace farshore {
namespace {

// The reference vectors of SipHash-2-4-128: seed 00 01 .. 0f, input 00 01 .. (n - 1), as little-endian words.
TEST(KeyHash, HashesAreThoseOfTheReference) {
  const KeyHash hash(0x0706050403020100, 0x0f0e0d0c0b0a0908);
  std::string input;
  EXPECT_EQ(hash(input).low, 0xe6a825ba047f81a3U);
  EXPECT_EQ(hash(input).high, 0x930255c71472f66dU);
  input.push_back('\0');
  EXPECT_EQ(hash(input).low, 0x44af996bd8c187daU);
  EXPECT_EQ(hash(input).high, 0x45fc229b11597634U);
}

TEST(KeyHash, EveryByteOfTheKeyCounts) {
  const KeyHash hash(1, 2);
  const std::string key(20, 'k');
  for (size_t i = 0; i < key.size(); ++i) {
    std::string other = key;
    ++other[i];
    EXPECT_NE(hash(other), hash(key)) << i;
  }
  EXPECT_NE(hash(std::string_view(key).substr(1)), hash(key));
}

}  // namespace
}  // namespace farshore
