#include "linker/link/tasks/group_sync_rule.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace farshore::linker {
namespace {

GroupSyncInput input(int64_t source, int64_t mirrored) {
  GroupSyncInput in;
  in.source_commit = SourceOffset(source);
  in.mirrored_end = SourceOffset(mirrored);
  in.translated = TargetOffset(std::min(source, mirrored));
  return in;
}

TEST(GroupSyncRule, CommitBeyondTheMirrorIsClamped) {
  auto decision = decide(input(100, 60));
  EXPECT_EQ(decision.action, GroupSyncAction::kCommit);
  EXPECT_EQ(decision.value, TargetOffset(60));
  EXPECT_EQ(decision.state, GroupSyncState::kClamped);
}

TEST(GroupSyncRule, ClampedCommitIsRaisedWhenTheMirrorCatchesUp) {
  auto in = input(100, 100);
  in.target_commit = in.last_written = TargetOffset(60);
  auto decision = decide(in);
  EXPECT_EQ(decision.action, GroupSyncAction::kCommit);
  EXPECT_EQ(decision.value, TargetOffset(100));
  EXPECT_FALSE(decision.clamped);
}

TEST(GroupSyncRule, GroupThatIsNotSelectedKeepsItsLastCommitUntilTheSourceDeletesIt) {
  auto in = input(100, 100);
  in.selected = false;
  in.target_commit = in.last_written = TargetOffset(60);
  EXPECT_EQ(decide(in).action, GroupSyncAction::kNothing);
  EXPECT_EQ(decide(in).state, GroupSyncState::kNotSelected);
  in.source_commit.reset();
  EXPECT_EQ(decide(in).action, GroupSyncAction::kDelete);
}

TEST(GroupSyncRule, GroupWithMembersAtTheTargetIsLeftAlone) {
  auto in = input(100, 100);
  in.members_at_target = true;
  EXPECT_EQ(decide(in).action, GroupSyncAction::kNothing);
  EXPECT_EQ(decide(in).state, GroupSyncState::kActiveAtTarget);
}

TEST(GroupSyncRule, HigherForeignCommitIsShownAsDiverged) {
  auto in = input(50, 100);
  in.target_commit = TargetOffset(80);
  in.last_written = TargetOffset(40);
  EXPECT_EQ(decide(in).action, GroupSyncAction::kNothing);
  EXPECT_EQ(decide(in).state, GroupSyncState::kDiverged);
}

TEST(GroupSyncRule, CommitBeyondTheEndOfAMirrorIsLoweredWhateverItsWriter) {
  auto in = input(50, 70);
  in.target_commit = TargetOffset(80);
  in.last_written = TargetOffset(40);
  in.target_end = TargetOffset(80);  // the next record: nobody has come further than allowed
  EXPECT_EQ(decide(in).state, GroupSyncState::kDiverged);
  in.target_end = TargetOffset(79);
  EXPECT_EQ(decide(in).action, GroupSyncAction::kCommit);
  EXPECT_EQ(decide(in).value, TargetOffset(50));
  in.members_at_target = true;
  EXPECT_EQ(decide(in).action, GroupSyncAction::kNothing);
}

TEST(GroupSyncRule, ResetAtTheSourceLowersACommitOfTheLink) {
  auto in = input(10, 100);
  in.target_commit = in.last_written = TargetOffset(80);
  EXPECT_EQ(decide(in).action, GroupSyncAction::kCommit);
  EXPECT_EQ(decide(in).value, TargetOffset(10));
}

TEST(GroupSyncRule, LowerForeignCommitIsRaised) {
  auto in = input(50, 100);
  in.target_commit = TargetOffset(20);
  EXPECT_EQ(decide(in).action, GroupSyncAction::kCommit);
}

TEST(GroupSyncRule, CommitFromBeforeALostWriteCountsAsCommitOfTheLink) {
  auto in = input(30, 100);
  in.last_written = TargetOffset(30);
  in.written_before = in.target_commit = TargetOffset(80);
  EXPECT_EQ(decide(in).action, GroupSyncAction::kCommit);
  EXPECT_EQ(decide(in).value, TargetOffset(30));
  in.source_commit.reset();
  EXPECT_EQ(decide(in).action, GroupSyncAction::kDelete);
}

TEST(GroupSyncRule, OlderCommitAfterALossAtTheTargetCountsAsCommitOfTheLink) {
  auto in = input(35, 100);
  in.target_commit = in.last_written = TargetOffset(423);
  EXPECT_EQ(decide(in).value, TargetOffset(35));
  in.written_before = to_remember(in, TargetOffset(35));
  in.last_written = TargetOffset(35);
  EXPECT_EQ(in.written_before, TargetOffset(423));
  in.target_commit = TargetOffset(203);
  EXPECT_EQ(decide(in).action, GroupSyncAction::kCommit);
  // Remembered until a higher value is written.
  EXPECT_EQ(to_remember(in, TargetOffset(60)), TargetOffset(423));
  in.target_commit = TargetOffset(60);
  EXPECT_EQ(to_remember(in, TargetOffset(423)), TargetOffset(60));
  in.target_commit = TargetOffset(424);  // a consumer's
  EXPECT_EQ(decide(in).action, GroupSyncAction::kNothing);
}

TEST(GroupSyncRule, DeletionAtTheSourceDeletesOnlyACommitOfTheLink) {
  GroupSyncInput in;
  in.target_commit = in.last_written = TargetOffset(7);
  EXPECT_EQ(decide(in).action, GroupSyncAction::kDelete);
  in.target_commit = TargetOffset(9);
  EXPECT_EQ(decide(in).action, GroupSyncAction::kNothing);
  in.last_written.reset();
  EXPECT_EQ(decide(in).action, GroupSyncAction::kNothing);
}

TEST(GroupSyncRule, EqualCommitIsNotWrittenAgain) {
  auto in = input(50, 100);
  in.target_commit = TargetOffset(50);
  EXPECT_EQ(decide(in).action, GroupSyncAction::kNothing);
  EXPECT_EQ(decide(in).state, GroupSyncState::kSynced);
}

}  // namespace
}  // namespace farshore::linker
