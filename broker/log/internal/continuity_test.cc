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
  EXPECT_TRUE(order.check(batch(10, 3), nullptr));
  EXPECT_TRUE(order.check(batch(20, 3), nullptr));
  EXPECT_EQ(order.check(batch(25, 3), nullptr).error(), ErrorCode::kCorrupt);
}

TEST(Continuity, NewEpochIsAcceptedOnlyIfTheEpochFileHasItThere) {
  auto known = known_from(10);
  known.epochs.assign(LogEpoch(3), Offset(10));
  known.epochs.assign(LogEpoch(4), Offset(11));
  Continuity order(known);
  EXPECT_TRUE(order.check(batch(10, 3), nullptr));
  EXPECT_TRUE(order.check(batch(11, 4), nullptr));
  EXPECT_EQ(order.check(batch(12, 5), nullptr).error(), ErrorCode::kCorrupt);
}

TEST(Continuity, BatchBelowTheRecoveryPointIsTrusted) {
  auto known = known_from(10);
  known.recovery_point = Offset(30);
  Continuity order(known);
  EXPECT_TRUE(order.check(batch(15, 1), nullptr));
  EXPECT_TRUE(order.check(batch(29, 7), nullptr));
  EXPECT_EQ(order.check(batch(31, 7), nullptr).error(), ErrorCode::kCorrupt) << "a gap at the recovery point";
}

TEST(Continuity, UnnotedJumpIsAcceptedIfTheBatchBehindItGoesOn) {
  const BatchHeader after = batch(21, 4), before = batch(11, 4), older = batch(21, 3);
  EXPECT_TRUE(Continuity(known_from(10)).wants_behind(batch(20, 4)));
  EXPECT_TRUE(Continuity(known_from(10)).check(batch(20, 4), &after));
  EXPECT_FALSE(Continuity(known_from(10)).check(batch(20, 4), &before)) << "a changed offset";
  EXPECT_FALSE(Continuity(known_from(10)).check(batch(20, 4), &older)) << "a changed epoch";
  EXPECT_FALSE(Continuity(known_from(10)).check(batch(20, 4), nullptr));
  auto known = known_from(10);
  known.recovery_point = Offset(0);
  EXPECT_FALSE(Continuity(known).check(batch(9, 4), &after)) << "offsets never go back";
}

TEST(Continuity, UnnotedJumpIsAcceptedIfASegmentBeginsBehindIt) {
  auto known = known_from(10);
  known.segment_bases = {Offset(10), Offset(21)};
  EXPECT_TRUE(Continuity(known).check(batch(20, 4), nullptr));
  EXPECT_FALSE(Continuity(known).check(batch(21, 4), nullptr));
}

TEST(Continuity, BatchThatANoteContradictsIsRefusedWhateverLiesBehind) {
  auto known = known_from(10);
  known.gaps = {{Offset(11), Offset(20), LogEpoch(3)}, {Offset(11), Offset(30), LogEpoch(5)}};
  known.epochs.assign(LogEpoch(3), Offset(10));
  const BatchHeader after = batch(41, 5);
  auto follows_ten = [&](const BatchHeader& header) {
    Continuity order(known);
    EXPECT_TRUE(order.check(batch(10, 3), nullptr));
    return order.check(header, &after).has_value();
  };
  EXPECT_TRUE(follows_ten(batch(20, 3)));
  EXPECT_TRUE(follows_ten(batch(30, 5)));
  EXPECT_FALSE(follows_ten(batch(15, 3))) << "a changed offset";
  EXPECT_FALSE(follows_ten(batch(30, 3))) << "a changed epoch";
  EXPECT_TRUE(follows_ten(batch(11, 3))) << "the notes may be of batches that were cut off";
  known.gaps_whole = false;
  EXPECT_FALSE(follows_ten(batch(15, 3)));
}

TEST(Continuity, LastBatchMayBeginAnEpochIfNotesAreMissing) {
  auto known = known_from(10);
  known.gaps_whole = false;
  EXPECT_TRUE(Continuity(known).check(batch(10, 4), nullptr));
  EXPECT_FALSE(Continuity(known).check(batch(11, 4), nullptr)) << "a gap that nothing confirms";
}

TEST(Continuity, AsManyGapsAsBatchesAreLookedUp) {  // not one after the other: that took half a minute here
  constexpr int64_t kBatches = 200'000;
  auto known = known_from(0);
  known.epochs.assign(LogEpoch(3), Offset(0));
  for (int64_t i = kBatches; i > 0; --i) known.gaps.push_back({Offset(10 * i - 9), Offset(10 * i), LogEpoch(3)});
  Continuity order(known);
  EXPECT_TRUE(order.check(batch(0, 3), nullptr));
  for (int64_t i = 1; i <= kBatches; ++i) ASSERT_TRUE(order.check(batch(10 * i, 3), nullptr)) << i;
  EXPECT_FALSE(order.check(batch(10 * kBatches + 5, 3), nullptr));
}

}  // namespace
}  // namespace farshore
