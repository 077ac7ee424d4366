#include "broker/log/internal/epoch_cache.h"

#include <gtest/gtest.h>

namespace farshore {
namespace {

TEST(EpochCache, EpochEndsAreThoseOfKip279) {
  EpochCache cache;
  EXPECT_EQ(cache.end_of(LogEpoch(0), Offset(0)).epoch, LogEpoch(-1));
  cache.assign(LogEpoch(2), Offset(10));
  cache.assign(LogEpoch(5), Offset(20));
  cache.assign(LogEpoch(7), Offset(30));
  auto end = [&](int32_t epoch) {
    auto answer = cache.end_of(LogEpoch(epoch), Offset(40));
    return std::pair(answer.epoch.value(), answer.end.value());
  };
  EXPECT_EQ(end(7), std::pair(7, int64_t{40}));
  EXPECT_EQ(end(8), std::pair(-1, int64_t{-1}));
  EXPECT_EQ(end(6), std::pair(5, int64_t{30}));
  EXPECT_EQ(end(5), std::pair(5, int64_t{30}));
  EXPECT_EQ(end(3), std::pair(2, int64_t{20}));
  EXPECT_EQ(end(1), std::pair(1, int64_t{10}));
  EXPECT_EQ(end(-1), std::pair(-1, int64_t{-1}));
}

TEST(EpochCache, LaterAssignmentRemovesEntriesThatContradictIt) {
  EpochCache cache;
  EXPECT_TRUE(cache.assign(LogEpoch(1), Offset(0)));
  EXPECT_FALSE(cache.assign(LogEpoch(1), Offset(5)));
  EXPECT_TRUE(cache.assign(LogEpoch(3), Offset(10)));
  EXPECT_TRUE(cache.assign(LogEpoch(4), Offset(10))) << "epoch 3 had no record";
  EXPECT_EQ(cache.entries().size(), 2U);
  EXPECT_FALSE(cache.assign(LogEpoch(-1), Offset(11)));
  EXPECT_TRUE(cache.truncate_end(Offset(10)));
  EXPECT_EQ(cache.latest(), LogEpoch(1));
}

TEST(EpochCache, TextRoundTripsAndDisorderIsRefused) {
  EpochCache cache;
  cache.assign(LogEpoch(0), Offset(0));
  cache.assign(LogEpoch(65536), Offset(1LL << 40));
  EXPECT_EQ(EpochCache::decode(cache.encode())->entries(), cache.entries());
  for (const char* bad : {"", "0", "0\n", "1\n0\n", "0\n1\n", "0\n1\n5\n", "0\n2\n5 1\n4 2\n", "0\n2\n4 2\n5 2\n",
                          "0\n1\n4 2\n5 3\n", "0\n1\n-4 2\n", "0\n1\n4 2x\n"})
    EXPECT_FALSE(EpochCache::decode(bad)) << bad;
}

}  // namespace
}  // namespace farshore
