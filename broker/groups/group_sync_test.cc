// SyncGroup: assignments of the leader, and the members that wait for them.
#include "broker/groups/testing/group_fixture.h"

namespace farshore::broker {
namespace {

TEST_F(GroupTest, AssignmentsAreAnsweredOnlyAfterTheyAreWritten) {
  Ticket a = join(request()), b = join(request());
  pass(seconds(6));
  Ticket follower = sync("m2", 1);
  EXPECT_FALSE(synced(follower));
  Ticket leader = sync("m1", 1, {{"m1", bytes("p0")}, {"m2", bytes("p1")}});
  EXPECT_FALSE(synced(leader));
  ASSERT_EQ(writes_.size(), 1u);
  EXPECT_EQ(writes_[0].value.generation, 1);
  EXPECT_EQ(writes_[0].value.members[1].assignment, bytes("p1"));
  EXPECT_EQ(group_->state(), GroupState::kCompletingRebalance);
  write_all();
  EXPECT_EQ(group_->state(), GroupState::kStable);
  EXPECT_EQ(sync_answer(leader).assignment, bytes("p0"));
  EXPECT_EQ(sync_answer(follower).assignment, bytes("p1"));
  EXPECT_EQ(sync_answer(follower).protocol_name, "range");
  EXPECT_EQ(join_code(a), join_code(b));
}

TEST_F(GroupTest, LateFollowerGetsItsAssignmentAtOnce) {
  join(request());
  join(request());
  pass(seconds(6));
  sync("m1", 1, {{"m1", bytes("p0")}, {"m2", bytes("p1")}});
  write_all();
  EXPECT_EQ(sync_answer(sync("m2", 1)).assignment, bytes("p1"));
}

TEST_F(GroupTest, MemberThatTheLeaderForgetsGetsAnEmptyAssignment) {
  join(request());
  join(request());
  pass(seconds(6));
  sync("m1", 1, {{"m1", bytes("p0")}, {"stranger", bytes("p9")}});
  ASSERT_EQ(writes_[0].value.members.size(), 2u);
  write_all();
  EXPECT_TRUE(sync_answer(sync("m2", 1)).assignment.empty());
  EXPECT_EQ(sync_code(sync("m2", 1)), Code::kNone);
}

TEST_F(GroupTest, SyncIsCheckedForMemberGenerationAndProtocol) {
  EXPECT_EQ(sync_code(sync("m1", 1)), Code::kUnknownMemberId);
  stabilize(1);
  EXPECT_EQ(sync_code(sync("nobody", 1)), Code::kUnknownMemberId);
  EXPECT_EQ(sync_code(sync("m1", 0)), Code::kIllegalGeneration);
  SyncRequest wrong;
  wrong.member = identity("m1");
  wrong.generation = 1;
  wrong.protocol_name = "sticky";
  GroupEffects effects;
  group_->sync(wrong, 99, now_, effects);
  EXPECT_EQ(effects.syncs[0].second.error, Code::kInconsistentGroupProtocol);
}

TEST_F(GroupTest, SyncDuringARebalanceGetsRebalanceInProgress) {
  stabilize(2);
  join(request("m1"));
  EXPECT_EQ(sync_code(sync("m2", 1)), Code::kRebalanceInProgress);
}

TEST_F(GroupTest, LeaderThatRepeatsItsSyncWritesOnce) {
  join(request());
  pass(seconds(3));
  Ticket lost = sync("m1", 1, {{"m1", bytes("p0")}});
  Ticket again = sync("m1", 1, {{"m1", bytes("p0")}});
  EXPECT_EQ(writes_.size(), 1u);
  write_all();
  EXPECT_EQ(sync_code(lost), Code::kRebalanceInProgress);
  EXPECT_EQ(sync_answer(again).assignment, bytes("p0"));
}

TEST_F(GroupTest, FailedWriteSendsTheErrorToAllAndRebalances) {
  join(request());
  join(request());
  pass(seconds(6));
  Ticket follower = sync("m2", 1), leader = sync("m1", 1, {{"m1", bytes("p0")}});
  write_all(Code::kCoordinatorNotAvailable);
  EXPECT_EQ(sync_code(leader), Code::kCoordinatorNotAvailable);
  EXPECT_EQ(sync_code(follower), Code::kCoordinatorNotAvailable);
  EXPECT_EQ(group_->state(), GroupState::kPreparingRebalance);
}

TEST_F(GroupTest, WriteOvertakenByARebalanceChangesNothing) {
  join(request());
  pass(seconds(3));
  Ticket leader = sync("m1", 1, {{"m1", bytes("p0")}});
  Ticket late = join(request());  // m2, while the assignment is being written
  EXPECT_EQ(sync_code(leader), Code::kRebalanceInProgress);
  write_all();
  EXPECT_EQ(group_->state(), GroupState::kPreparingRebalance);
  Ticket back = join(request("m1"));
  EXPECT_EQ(join_answer(back).generation, 2);
  EXPECT_EQ(join_answer(late).generation, 2);
}

TEST_F(GroupTest, MemberThatNeverSyncsIsRemovedAfterTheRebalanceTimeout) {
  Ticket a = join(request()), b = join(request());
  pass(seconds(6));
  sync("m1", 1, {{"m1", bytes("p0")}, {"m2", bytes("p1")}});
  write_all();
  for (int i = 0; i < 59; ++i) {  // both send heartbeats; m2 does not sync
    pass(seconds(1));
    ASSERT_EQ(group_->heartbeat(identity("m1"), 1, now_), Code::kNone);
    ASSERT_EQ(group_->heartbeat(identity("m2"), 1, now_), Code::kNone);
  }
  pass(seconds(1));
  EXPECT_EQ(group_->state(), GroupState::kPreparingRebalance);
  EXPECT_EQ(group_->heartbeat(identity("m2"), 1, now_), Code::kUnknownMemberId);
  EXPECT_EQ(group_->heartbeat(identity("m1"), 1, now_), Code::kRebalanceInProgress);
  EXPECT_EQ(join_code(a), join_code(b));
}

}  // namespace
}  // namespace farshore::broker
