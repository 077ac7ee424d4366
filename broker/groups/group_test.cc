#include "broker/groups/testing/group_fixture.h"
#include "proto/kafka/messages/consumer_protocol.h"
#include "proto/kafka/wire.h"

namespace farshore::broker {
namespace {

// --- heartbeats and sessions ---

TEST_F(GroupTest, HeartbeatIsCheckedForMemberAndGeneration) {
  stabilize(1);
  EXPECT_EQ(group_->heartbeat(identity("m1"), 1, now_), Code::kNone);
  EXPECT_EQ(group_->heartbeat(identity("m1"), 0, now_), Code::kIllegalGeneration);
  EXPECT_EQ(group_->heartbeat(identity("nobody"), 1, now_), Code::kUnknownMemberId);
}

TEST_F(GroupTest, HeartbeatDuringCompletingRebalanceSucceeds) {
  join(request());
  pass(seconds(3));
  EXPECT_EQ(group_->heartbeat(identity("m1"), 1, now_), Code::kNone);
}

TEST_F(GroupTest, SilentMemberIsRemovedWhenItsSessionEnds) {
  stabilize(2);
  for (int i = 0; i < 9; ++i) {
    pass(seconds(1));
    group_->heartbeat(identity("m1"), 1, now_);
  }
  EXPECT_EQ(group_->state(), GroupState::kStable);
  pass(seconds(1));
  EXPECT_EQ(group_->state(), GroupState::kPreparingRebalance);
  EXPECT_EQ(group_->member_count(), 1u);
  EXPECT_EQ(join_answer(join(request("m1"))).generation, 2);
}

TEST_F(GroupTest, LastSilentMemberLeavesTheGroupEmptyAndThatIsWritten) {
  stabilize(1);
  pass(seconds(10));
  EXPECT_EQ(group_->state(), GroupState::kEmpty);
  EXPECT_EQ(group_->generation(), 2);
  ASSERT_EQ(writes_.size(), 1u);
  EXPECT_TRUE(writes_[0].value.members.empty());
  EXPECT_EQ(writes_[0].value.generation, 2);
  EXPECT_EQ(writes_[0].value.protocol, std::nullopt);
  EXPECT_EQ(writes_[0].value.leader, std::nullopt);
  EXPECT_EQ(writes_[0].value.protocol_type, "consumer");
  write_all();
}

TEST_F(GroupTest, MemberWaitingForItsJoinAnswerCountsAsAlive) {
  stabilize(2);
  Ticket leader = join(request("m1"));
  for (int i = 0; i < 40; ++i) {  // m1 waits, without heartbeats, for longer than its session
    pass(seconds(1));
    group_->heartbeat(identity("m2"), 1, now_);
  }
  EXPECT_FALSE(joined(leader));
  join(request("m2"));
  EXPECT_EQ(join_code(leader), Code::kNone);
}

TEST_F(GroupTest, MemberWaitingForItsAssignmentCountsAsAliveAndStartsANewSession) {
  join(request());
  join(request());
  pass(seconds(6));
  Ticket follower = sync("m2", 1);
  for (int i = 0; i < 15; ++i) {
    pass(seconds(1));
    group_->heartbeat(identity("m1"), 1, now_);
  }
  sync("m1", 1, {{"m2", bytes("p1")}});
  write_all();
  EXPECT_EQ(sync_code(follower), Code::kNone);
  pass(milliseconds(9999));
  EXPECT_EQ(group_->member_count(), 2u);
  pass(milliseconds(1));
  EXPECT_EQ(group_->member_count(), 0u);
}

TEST_F(GroupTest, NewMemberWhoseClientIsGoneIsGivenUp) {
  GroupLimits limits;
  limits.new_member_join_max = seconds(30);
  make(limits);
  stabilize(2);
  Ticket gone = join(request());
  for (int i = 0; i < 29; ++i) {
    pass(seconds(1));
    group_->heartbeat(identity("m1"), 1, now_);
    group_->heartbeat(identity("m2"), 1, now_);
  }
  EXPECT_FALSE(joined(gone));
  pass(seconds(1));
  EXPECT_EQ(join_code(gone), Code::kUnknownMemberId);
  EXPECT_EQ(group_->member_count(), 2u);
}

// --- leaving ---

TEST_F(GroupTest, MemberThatLeavesMakesTheOthersRebalance) {
  stabilize(2);
  EXPECT_EQ(leave({identity("m2")}), std::vector{Code::kNone});
  EXPECT_EQ(group_->state(), GroupState::kPreparingRebalance);
  EXPECT_EQ(join_answer(join(request("m1"))).members.size(), 1u);
}

TEST_F(GroupTest, LastMemberThatLeavesLeavesTheGroupEmpty) {
  stabilize(1);
  leave({identity("m1")});
  EXPECT_EQ(group_->state(), GroupState::kEmpty);
  write_all();
  ASSERT_TRUE(log_);
  EXPECT_TRUE(log_->members.empty());
}

TEST_F(GroupTest, LeavingIsAnsweredMemberByMember) {
  stabilize(2);
  EXPECT_EQ(leave({identity("nobody"), identity("m1"), identity("m1"), identity("", "no-instance"), identity("")}),
            (std::vector{Code::kUnknownMemberId, Code::kNone, Code::kUnknownMemberId, Code::kUnknownMemberId,
                         Code::kUnknownMemberId}));
}

TEST_F(GroupTest, LeavingWhileOthersJoinCompletesTheRebalance) {
  stabilize(2);
  Ticket a = join(request("m1"));
  leave({identity("m2")});
  EXPECT_EQ(join_answer(a).generation, 2);
}

TEST_F(GroupTest, HolderOfAMemberIdMayLeave) {
  auto asks = request();
  asks.needs_known_member_id = true;
  join(asks);
  EXPECT_EQ(leave({identity("m1")}), std::vector{Code::kNone});
  EXPECT_TRUE(group_->vacant());
}

TEST_F(GroupTest, MemberThatLeavesWhileItsJoinWaitsIsAnswered) {
  stabilize(2);
  Ticket waiting = join(request("m1"));
  leave({identity("m1")});
  EXPECT_EQ(join_code(waiting), Code::kUnknownMemberId);
}

// --- commits ---

TEST_F(GroupTest, CommitIsCheckedForMemberAndGeneration) {
  stabilize(1);
  EXPECT_EQ(group_->check_commit(identity("m1"), 1, now_), Code::kNone);
  EXPECT_EQ(group_->check_commit(identity("m1"), 2, now_), Code::kIllegalGeneration);
  EXPECT_EQ(group_->check_commit(identity("nobody"), 1, now_), Code::kUnknownMemberId);
}

TEST_F(GroupTest, CommitFromOutsideIsRefusedWhileTheGroupHasMembers) {
  EXPECT_EQ(group_->check_commit(identity(""), -1, now_), Code::kNone);
  join(request());
  EXPECT_EQ(group_->check_commit(identity(""), -1, now_), Code::kUnknownMemberId);
  pass(seconds(3));
  EXPECT_EQ(group_->check_commit(identity(""), -1, now_), Code::kUnknownMemberId);
  sync("m1", 1);
  write_all();
  EXPECT_EQ(group_->check_commit(identity(""), -1, now_), Code::kUnknownMemberId);
  leave({identity("m1")});
  EXPECT_EQ(group_->check_commit(identity(""), -1, now_), Code::kNone);
}

TEST_F(GroupTest, CommitOfAMemberBeforeItsAssignmentSaysThatARebalanceIsUnderWay) {
  join(request());
  pass(seconds(3));
  EXPECT_EQ(group_->check_commit(identity("m1"), 1, now_), Code::kRebalanceInProgress);
}

TEST_F(GroupTest, MemberMayCommitBeforeItJoinsAgainAndThatKeepsItAlive) {
  stabilize(2);
  join(request("m1"));
  for (int i = 0; i < 20; ++i) {
    pass(seconds(1));
    EXPECT_EQ(group_->check_commit(identity("m2"), 1, now_), Code::kNone);
  }
  EXPECT_EQ(group_->member_count(), 2u);
}

TEST_F(GroupTest, CommitWithGenerationIntoAnEmptyGroupIsRefused) {
  stabilize(1);
  leave({identity("m1")});
  EXPECT_EQ(group_->check_commit(identity("m1"), 1, now_), Code::kUnknownMemberId);
}

// --- restart, deletion, closing ---

TEST_F(GroupTest, RestoredGroupIsStableWithTheSameMembersAndAssignments) {
  stabilize(2);
  ASSERT_TRUE(log_);
  auto saved = *log_;
  make();
  GroupEffects effects;
  group_->restore(saved, now_, effects);
  EXPECT_EQ(group_->state(), GroupState::kStable);
  EXPECT_EQ(group_->leader(), "m1");
  EXPECT_EQ(group_->heartbeat(identity("m2"), 1, now_), Code::kNone);
  EXPECT_EQ(sync_answer(sync("m2", 1)).assignment, bytes("of-m2"));
  EXPECT_EQ(group_->persistent(), saved);
}

TEST_F(GroupTest, MembersOfARestoredGroupThatDoNotComeBackAreRemoved) {
  stabilize(1);
  auto saved = *log_;
  make();
  GroupEffects effects;
  group_->restore(saved, now_, effects);
  pass(seconds(10));
  EXPECT_EQ(group_->state(), GroupState::kEmpty);
  EXPECT_EQ(group_->generation(), 2);
}

TEST_F(GroupTest, RestoredEmptyGroupKeepsItsGeneration) {
  stabilize(1);
  leave({identity("m1")});
  write_all();
  auto saved = *log_;
  make();
  GroupEffects effects;
  group_->restore(saved, now_, effects);
  EXPECT_EQ(group_->state(), GroupState::kEmpty);
  Ticket ticket = join(request());
  pass(seconds(3));
  EXPECT_EQ(join_answer(ticket).generation, 3);
}

TEST_F(GroupTest, GroupBeingDeletedRefusesEverythingUntilThatIsUndone) {
  group_->begin_delete();
  EXPECT_EQ(join_code(join(request())), Code::kCoordinatorNotAvailable);
  EXPECT_EQ(group_->check_commit(identity(""), -1, now_), Code::kCoordinatorNotAvailable);
  EXPECT_EQ(group_->heartbeat(identity("m1"), 1, now_), Code::kCoordinatorNotAvailable);
  group_->cancel_delete(now_.wall);
  EXPECT_EQ(group_->check_commit(identity(""), -1, now_), Code::kNone);
}

TEST_F(GroupTest, CloseAnswersAllWaitingRequests) {
  stabilize(2);
  Ticket a = join(request("m1"));
  GroupEffects effects;
  group_->close(Code::kNotCoordinator, effects);
  take(effects);
  EXPECT_EQ(join_code(a), Code::kNotCoordinator);
  EXPECT_EQ(group_->next_deadline(), MonoTime::max());
}

// --- what the offsets need to know ---

TEST_F(GroupTest, ConsumerGroupReportsItsSubscribedTopics) {
  kafka::ConsumerProtocolSubscription subscription;
  subscription.topics = {"orders", "payments"};
  kafka::Writer writer;
  writer.i16(3);
  subscription.encode(writer, 0);
  auto metadata = writer.finish()->to_bytes();
  auto first = request();
  first.protocols[0].metadata = metadata;
  Ticket ticket = join(first);
  pass(seconds(3));
  finish({ticket});
  EXPECT_TRUE(group_->subscribed_to("orders"));
  EXPECT_FALSE(group_->subscribed_to("other"));
  EXPECT_EQ(group_->unused_since(5), 5);
}

TEST_F(GroupTest, ConsumerGroupWithUnreadableMetadataCountsAsSubscribedToEverything) {
  stabilize(1);
  EXPECT_TRUE(group_->subscribed_to("anything"));
  EXPECT_EQ(group_->unused_since(5), std::nullopt);
}

TEST_F(GroupTest, OffsetsAreUnusedFromWhenTheGroupBecameEmptyOrWereCommittedWithoutGroup) {
  EXPECT_EQ(group_->unused_since(5), 5);
  stabilize(1);
  pass(seconds(1));
  leave({identity("m1")});
  EXPECT_EQ(group_->unused_since(5), now_.wall.milliseconds_since_epoch);
}

TEST_F(GroupTest, DescriptionShowsMetadataAndAssignmentsOnlyWhenStable) {
  stabilize(1);
  auto stable = group_->describe();
  EXPECT_EQ(stable.state, "Stable");
  EXPECT_EQ(stable.protocol, "range");
  EXPECT_EQ(stable.members[0].assignment, bytes("of-m1"));
  EXPECT_EQ(stable.members[0].client_host, "/10.0.0.1");
  join(request());
  auto moving = group_->describe();
  EXPECT_EQ(moving.state, "PreparingRebalance");
  EXPECT_EQ(moving.protocol, "");
  EXPECT_TRUE(moving.members[0].assignment.empty());
}

}  // namespace
}  // namespace farshore::broker
