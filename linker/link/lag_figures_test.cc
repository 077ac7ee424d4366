#include "linker/link/model/lag_figures.h"

#include <gtest/gtest.h>

namespace farshore::linker {
namespace {

constexpr MonoTime kNow{seconds(1000)};

replicator::PartitionProgress partition(int64_t lag, Duration heard_ago) {
  replicator::PartitionProgress p;
  p.pump.opened = true;
  p.pump.lag_offsets = lag;
  p.pump.lag = lag > 0 ? seconds(2) : Duration();
  p.known_as_of = kNow - heard_ago;
  return p;
}

TEST(LagFigures, PartitionThatIsHeardOfHasAKnownLag) {
  const LagFigures none(partition(0, seconds(1)), kNow);
  EXPECT_TRUE(none.known());
  EXPECT_EQ(none.records(), 0);
  EXPECT_EQ(none.ms_max(), 0);
  const LagFigures some(partition(7, seconds(1)), kNow);
  EXPECT_EQ(some.records(), 7);
  EXPECT_EQ(some.ms_max(), 2000);
}

TEST(LagFigures, LagOfAPartitionThatIsNotHeardOfAnyMoreIsUnknownOrALowerBound) {
  const LagFigures none(partition(0, seconds(11)), kNow);
  EXPECT_FALSE(none.known());
  EXPECT_EQ(none.records(), LagFigures::kUnknown);
  EXPECT_EQ(none.ms_max(), LagFigures::kUnknown);
  const LagFigures some(partition(7, seconds(11)), kNow);
  EXPECT_FALSE(some.known());
  EXPECT_EQ(some.records(), 7) << "at least";
}

TEST(LagFigures, PartitionThatOneEndHasNotSpokenOfIsUnknownWhateverTheNumbersSay) {
  auto never_heard = partition(7, seconds(1));
  never_heard.known_as_of = MonoTime();
  EXPECT_EQ(LagFigures(never_heard, kNow).records(), LagFigures::kUnknown);
  auto not_opened = partition(100, seconds(1));
  not_opened.pump.opened = false;
  EXPECT_EQ(LagFigures(not_opened, kNow).records(), LagFigures::kUnknown);
}

TEST(LagFigures, SumIsALowerBoundWhilePartitionsAreUnknown) {
  LagFigures sum;
  sum.add(LagFigures(partition(0, seconds(1)), kNow));
  EXPECT_EQ(sum.records(), 0);
  sum.add(LagFigures::unknown());
  EXPECT_EQ(sum.records(), LagFigures::kUnknown) << "0 would say that nothing is behind";
  sum.add(LagFigures(partition(5, seconds(1)), kNow));
  EXPECT_EQ(sum.records(), 5);
  EXPECT_EQ(sum.unknown_partitions(), 1);
}

}  // namespace
}  // namespace farshore::linker
