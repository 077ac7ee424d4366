#include "proto/link/write_fence.h"

#include <gtest/gtest.h>

namespace farshore {
namespace {

const LinkId kOne{{1}}, kOther{{2}};

WriteFence fence_of(const LinkId& link, int64_t epoch, int64_t attempt, int64_t until_ms) {
  return WriteFence{link, {LinkEpoch(epoch), attempt}, until_ms};
}

TEST(WriteFence, RaiseThatComesAfterItsLiftIsRefused) {
  std::vector<WriteFence> fences;
  EXPECT_EQ(apply_fence(fences, fence_of(kOne, 3, 1, kFenceLifted)), FenceOutcome::kApplied);
  EXPECT_EQ(apply_fence(fences, fence_of(kOne, 3, 1, 500)), FenceOutcome::kSuperseded);
  EXPECT_EQ(apply_fence(fences, fence_of(kOne, 2, 9, 500)), FenceOutcome::kSuperseded);
  EXPECT_FALSE(any_fence_holds(fences));
  EXPECT_EQ(apply_fence(fences, fence_of(kOne, 3, 2, 500)), FenceOutcome::kApplied);
  EXPECT_TRUE(any_fence_holds(fences));
}

TEST(WriteFence, LiftOfAnOlderAttemptLeavesTheNewerFence) {
  std::vector<WriteFence> fences;
  EXPECT_EQ(apply_fence(fences, fence_of(kOne, 3, 2, 500)), FenceOutcome::kApplied);
  EXPECT_EQ(apply_fence(fences, fence_of(kOne, 3, 1, kFenceLifted)), FenceOutcome::kSuperseded);
  EXPECT_TRUE(any_fence_holds(fences));
}

TEST(WriteFence, RenewalNeverShortensAFence) {
  std::vector<WriteFence> fences;
  EXPECT_EQ(apply_fence(fences, fence_of(kOne, 3, 1, 500)), FenceOutcome::kApplied);
  EXPECT_EQ(apply_fence(fences, fence_of(kOne, 3, 1, 400)), FenceOutcome::kApplied);
  EXPECT_EQ(next_fence_end(fences), 500);
  EXPECT_EQ(apply_fence(fences, fence_of(kOne, 3, 1, kFenceForever)), FenceOutcome::kApplied);
  EXPECT_EQ(apply_fence(fences, fence_of(kOne, 3, 1, 900)), FenceOutcome::kApplied);
  EXPECT_FALSE(fences_have_an_end(fences));
}

TEST(WriteFence, FencesOfTwoLinksEndEachByItself) {
  std::vector<WriteFence> fences;
  EXPECT_EQ(apply_fence(fences, fence_of(kOne, 1, 1, 500)), FenceOutcome::kApplied);
  EXPECT_EQ(apply_fence(fences, fence_of(kOther, 1, 1, 700)), FenceOutcome::kApplied);
  EXPECT_FALSE(lift_expired_fences(fences, 499));
  EXPECT_TRUE(lift_expired_fences(fences, 500));
  EXPECT_TRUE(any_fence_holds(fences));
  EXPECT_EQ(next_fence_end(fences), 700);
  EXPECT_TRUE(lift_expired_fences(fences, 700));
  EXPECT_FALSE(any_fence_holds(fences));
  EXPECT_EQ(next_fence_end(fences), kFenceForever);
}

TEST(WriteFence, TooManyFencesAreRefusedAndLiftedOnesMakeRoom) {
  std::vector<WriteFence> fences;
  for (uint8_t i = 0; i < kFencesMax; ++i)
    EXPECT_EQ(apply_fence(fences, fence_of(LinkId{{i}}, 1, 1, 500)), FenceOutcome::kApplied);
  const LinkId more{{99}};
  EXPECT_EQ(apply_fence(fences, fence_of(more, 1, 1, 500)), FenceOutcome::kTooMany);
  EXPECT_EQ(apply_fence(fences, fence_of(LinkId{{4}}, 1, 1, kFenceLifted)), FenceOutcome::kApplied);
  EXPECT_EQ(apply_fence(fences, fence_of(more, 1, 1, 500)), FenceOutcome::kApplied);
  EXPECT_EQ(fences.size(), kFencesMax);
}

}  // namespace
}  // namespace farshore
