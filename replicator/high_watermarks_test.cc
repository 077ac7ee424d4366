#include "replicator/high_watermarks.h"

#include <gtest/gtest.h>

namespace farshore::replicator {
namespace {

MonoTime at(int64_t s) { return MonoTime(seconds(s)); }

TEST(HighWatermarks, LagIsSinceTheOldestOffsetThatTheTargetLacksWasSeen) {
  HighWatermarks marks;
  EXPECT_EQ(marks.lag(SourceOffset(0), at(100)), Duration::zero());
  marks.rose(SourceOffset(10), SourceOffset(0), at(1));
  marks.rose(SourceOffset(20), SourceOffset(0), at(5));
  EXPECT_EQ(marks.lag(SourceOffset(9), at(8)), seconds(7));
  EXPECT_EQ(marks.lag(SourceOffset(10), at(8)), seconds(3));
  EXPECT_EQ(marks.lag(SourceOffset(20), at(8)), Duration::zero());
}

TEST(HighWatermarks, MarkThatTheTargetHasReachedIsForgotten) {
  HighWatermarks marks;
  for (int64_t i = 1; i <= 20; ++i) marks.rose(SourceOffset(i * 10), SourceOffset(i * 10 - 10), at(i));
  EXPECT_EQ(marks.lag(SourceOffset(190), at(25)), seconds(5));
}

TEST(HighWatermarks, MarkAboveASourceThatLostItsEndIsForgotten) {
  HighWatermarks marks;
  marks.rose(SourceOffset(100), SourceOffset(0), at(1));
  marks.rose(SourceOffset(150), SourceOffset(90), at(5));
  marks.fell(SourceOffset(100));
  EXPECT_EQ(marks.lag(SourceOffset(100), at(30)), Duration::zero());
  EXPECT_EQ(marks.lag(SourceOffset(90), at(30)), seconds(29));
  marks.rose(SourceOffset(120), SourceOffset(100), at(31));
  EXPECT_EQ(marks.lag(SourceOffset(100), at(33)), seconds(2));
}

TEST(HighWatermarks, WithoutRoomForAMarkTheLagIsOverstated) {
  HighWatermarks marks;
  for (int64_t i = 1; i <= 20; ++i) marks.rose(SourceOffset(i * 10), SourceOffset(0), at(i));
  EXPECT_EQ(marks.lag(SourceOffset(5), at(25)), seconds(24));
  EXPECT_EQ(marks.lag(SourceOffset(195), at(25)), seconds(21));  // seen at 20, reported since 4
}

}  // namespace
}  // namespace farshore::replicator
