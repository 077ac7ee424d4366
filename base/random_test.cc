#include "base/random.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>

namespace farshore {
namespace {

TEST(Random, SameSeedGivesTheSameNumbersAndAnotherSeedOthers) {
  Random a(7), b(7), c(8);
  int same = 0;
  for (int i = 0; i < 1000; ++i) {
    uint64_t x = a.next();
    EXPECT_EQ(x, b.next());
    same += x == c.next();
  }
  EXPECT_EQ(same, 0);
}

TEST(Random, NumbersMatchTheReferenceImplementation) {
  // splitmix64(0) begins e220a8397b1dcdaf, 6e789e6aa1b965f4, 06c45d188009454f, f88bb8a8724c81ec (Vigna); xoshiro256**'s
  // first output is rotl(s1 * 5, 7) * 9.
  Random random(0);
  uint64_t s1 = 0x6e789e6aa1b965f4;
  uint64_t product = s1 * 5;
  EXPECT_EQ(random.next(), ((product << 7) | (product >> 57)) * 9);
}

TEST(Random, BelowIsUniformAndInRange) {
  Random random(1);
  std::array<int, 7> counts{};
  for (int i = 0; i < 70000; ++i) ++counts[random.below(7)];
  for (int count : counts) EXPECT_NEAR(count, 10000, 500);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(random.below(1), 0u);
}

TEST(Random, BetweenIncludesBothEndsAndTheWholeRange) {
  Random random(2);
  bool low = false, high = false;
  for (int i = 0; i < 1000; ++i) {
    int64_t x = random.between(-1, 2);
    ASSERT_GE(x, -1);
    ASSERT_LE(x, 2);
    low |= x == -1;
    high |= x == 2;
  }
  EXPECT_TRUE(low && high);
  bool negative = false, positive = false;
  for (int i = 0; i < 100; ++i) {
    int64_t x = random.between(std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max());
    negative |= x < 0;
    positive |= x > 0;
  }
  EXPECT_TRUE(negative && positive);
}

TEST(Random, ChanceAndUnitFollowTheirProbability) {
  Random random(3);
  int hits = 0;
  for (int i = 0; i < 10000; ++i) {
    double u = random.unit();
    ASSERT_GE(u, 0);
    ASSERT_LT(u, 1);
    hits += random.chance(0.25);
    ASSERT_FALSE(random.chance(0));
    ASSERT_TRUE(random.chance(1));
  }
  EXPECT_NEAR(hits, 2500, 300);
}

TEST(Random, UuidsAreVersionFourAndNeverBeginWithADash) {
  Random random(4);
  for (int i = 0; i < 10000; ++i) {
    Uuid uuid = random.uuid();
    EXPECT_FALSE(uuid.is_zero());
    EXPECT_EQ(uuid.bytes[6] >> 4, 4);
    EXPECT_EQ(uuid.bytes[8] >> 6, 2);
    EXPECT_NE(uuid.to_string().front(), '-');
    ASSERT_EQ(Uuid::parse(uuid.to_string()).value(), uuid);
  }
}

}  // namespace
}  // namespace farshore
