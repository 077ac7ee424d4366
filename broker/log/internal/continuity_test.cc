#include "broker/log/internal/continuity.h"

#include <gtest/gtest.h>

namespace farshore {
namespace {

BatchHeader batch(int64_t offset, int32_t epoch) {
  BatchHeader header;
  header.base_offset = offset;
  header.partition_leader_epoch = epoch;
  header.record_count = 1;
  return header;
}

Continuity::Known known_from(int64_t offset) {
  Continuity::Known known;
  known.recovery_point = known.scanned_from = Offset(offset);
  return known;
}

TEST(Continuity, BatchAfterAGapIsAcceptedOnlyIfTheGapIsNoted) {
  auto known = known_from(10);
  known.gaps.push_back({Offset(11), Offset(20), LogEpoch(3)});
  known.epochs.assign(LogEpoch(3), Offset(10));
  Continuity order(known);
  EXPECT_TRUE(order.check(batch(10, 3)));
  EXPECT_TRUE(order.check(batch(20, 3)));
  EXPECT_EQ(order.check(batch(25, 3)).error(), ErrorCode::kCorrupt);
}

TEST(Continuity, NewEpochIsAcceptedOnlyIfTheEpochFileHasItThere) {
  auto known = known_from(10);
  known.epochs.assign(LogEpoch(3), Offset(10));
  known.epochs.assign(LogEpoch(4), Offset(11));
  Continuity order(known);
  EXPECT_TRUE(order.check(batch(10, 3)));
  EXPECT_TRUE(order.check(batch(11, 4)));
  EXPECT_EQ(order.check(batch(12, 5)).error(), ErrorCode::kCorrupt);
}

TEST(Continuity, BatchBelowTheRecoveryPointIsTrusted) {
  auto known = known_from(10);
  known.recovery_point = Offset(30);
  Continuity order(known);
  EXPECT_TRUE(order.check(batch(15, 1)));
  EXPECT_TRUE(order.check(batch(29, 7)));
  EXPECT_EQ(order.check(batch(31, 7)).error(), ErrorCode::kCorrupt) << "a gap at the recovery point";
}

TEST(Continuity, AsManyGapsAsBatchesAreLookedUp) {  // not one after the other: that took half a minute here
  constexpr int64_t kBatches = 200'000;
  auto known = known_from(0);
  known.epochs.assign(LogEpoch(3), Offset(0));
  for (int64_t i = kBatches; i > 0; --i) known.gaps.push_back({Offset(10 * i - 9), Offset(10 * i), LogEpoch(3)});
  Continuity order(known);
  EXPECT_TRUE(order.check(batch(0, 3)));
  for (int64_t i = 1; i <= kBatches; ++i) ASSERT_TRUE(order.check(batch(10 * i, 3))) << i;
  EXPECT_FALSE(order.check(batch(10 * kBatches + 5, 3)));
}

}  // namespace
}  // namespace farshore
