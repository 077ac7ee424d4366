#include "broker/groups/testing/group_fixture.h"

namespace farshore::broker {
namespace {

// --- joining ---

TEST_F(GroupTest, FirstMemberWaitsOutTheInitialDelayAndBecomesLeaderOfGenerationOne) {
  Ticket ticket = join(request());
  EXPECT_EQ(group_->state(), GroupState::kPreparingRebalance);
  pass(milliseconds(2999));
  EXPECT_FALSE(joined(ticket));
  pass(milliseconds(1));
  ASSERT_TRUE(joined(ticket));
  EXPECT_EQ(join_code(ticket), Code::kNone);
  EXPECT_EQ(join_answer(ticket).generation, 1);
  EXPECT_EQ(join_answer(ticket).leader, "m1");
  EXPECT_EQ(join_answer(ticket).member_id, "m1");
  EXPECT_EQ(join_answer(ticket).protocol_name, "range");
  EXPECT_EQ(join_answer(ticket).protocol_type, "consumer");
  ASSERT_EQ(join_answer(ticket).members.size(), 1u);
  EXPECT_EQ(join_answer(ticket).members[0].metadata, bytes("topics-a"));
  EXPECT_EQ(group_->state(), GroupState::kCompletingRebalance);
}

TEST_F(GroupTest, EachNewMemberProlongsTheInitialDelayUpToTheRebalanceTimeout) {
  auto first = request();
  first.rebalance_timeout_ms = 7000;
  Ticket ticket = join(first);
  for (int i = 0; i < 2; ++i) {  // at 2 s and 5 s: rounds of 3, 3 and 1 seconds
    pass(i == 0 ? seconds(2) : seconds(3));
    auto more = request();
    more.rebalance_timeout_ms = 7000;
    join(more);
  }
  pass(milliseconds(1999));
  EXPECT_FALSE(joined(ticket));
  pass(milliseconds(2));
  EXPECT_TRUE(joined(ticket));
  EXPECT_EQ(join_answer(ticket).members.size(), 3u);
}

TEST_F(GroupTest, DelayIsNotProlongedWithoutNewMembers) {
  Ticket ticket = join(request());
  pass(seconds(3));
  EXPECT_TRUE(joined(ticket));
}

TEST_F(GroupTest, OnlyTheLeaderLearnsTheMembers) {
  Ticket a = join(request()), b = join(request());
  pass(seconds(6));
  EXPECT_EQ(join_answer(a).members.size(), 2u);
  EXPECT_TRUE(join_answer(b).members.empty());
  EXPECT_EQ(join_answer(b).leader, "m1");
}

TEST_F(GroupTest, MemberIdIsRequiredFromVersionFourOn) {
  auto first = request();
  first.needs_known_member_id = true;
  Ticket ticket = join(first);
  EXPECT_EQ(join_code(ticket), Code::kMemberIdRequired);
  EXPECT_EQ(join_answer(ticket).member_id, "m1");
  EXPECT_EQ(group_->state(), GroupState::kEmpty);
  EXPECT_EQ(group_->pending_count(), 1u);
  EXPECT_FALSE(group_->vacant());

  auto second = request("m1");
  second.needs_known_member_id = true;
  Ticket again = join(second);
  pass(seconds(3));
  EXPECT_EQ(join_answer(again).member_id, "m1");
  EXPECT_EQ(join_code(again), Code::kNone);
  EXPECT_EQ(group_->pending_count(), 0u);
}

TEST_F(GroupTest, MemberIdThatIsNotUsedExpiresWithItsSession) {
  auto first = request();
  first.needs_known_member_id = true;
  join(first);
  pass(milliseconds(9999));
  EXPECT_EQ(group_->pending_count(), 1u);
  pass(milliseconds(1));
  EXPECT_TRUE(group_->vacant());
  Ticket late = join(request("m1"));
  EXPECT_EQ(join_code(late), Code::kUnknownMemberId);
}

TEST_F(GroupTest, RebalanceWaitsForHoldersOfAMemberId) {
  stabilize(1);
  auto asks = request();
  asks.needs_known_member_id = true;
  asks.session_timeout_ms = 20000;
  join(asks);  // m2: holds an id
  Ticket leader = join(request("m1"));
  EXPECT_FALSE(joined(leader));
  Ticket second = join(request("m2"));
  EXPECT_TRUE(joined(leader));
  EXPECT_EQ(join_answer(second).generation, 2);
}

TEST_F(GroupTest, RebalanceGoesOnWhenAMemberIdExpires) {
  stabilize(1);
  auto asks = request();
  asks.needs_known_member_id = true;
  asks.session_timeout_ms = 20000;
  join(asks);
  Ticket leader = join(request("m1"));
  pass(milliseconds(19999));
  EXPECT_FALSE(joined(leader));
  pass(milliseconds(1));
  EXPECT_EQ(join_code(leader), Code::kNone);
}

TEST_F(GroupTest, UnknownMemberIdIsRefused) {
  stabilize(1);
  EXPECT_EQ(join_code(join(request("nobody"))), Code::kUnknownMemberId);
}

TEST_F(GroupTest, EmptyProtocolTypeOrNoProtocolsIsRefused) {
  auto no_type = request();
  no_type.protocol_type = "";
  EXPECT_EQ(join_code(join(no_type)), Code::kInconsistentGroupProtocol);
  auto no_protocol = request();
  no_protocol.protocols.clear();
  EXPECT_EQ(join_code(join(no_protocol)), Code::kInconsistentGroupProtocol);
  EXPECT_EQ(group_->state(), GroupState::kEmpty);
}

TEST_F(GroupTest, OtherProtocolTypeOrNoCommonProtocolIsRefused) {
  stabilize(1);
  auto other_type = request();
  other_type.protocol_type = "connect";
  EXPECT_EQ(join_code(join(other_type)), Code::kInconsistentGroupProtocol);
  auto other_protocol = request();
  other_protocol.protocols = {protocol("sticky", "x")};
  EXPECT_EQ(join_code(join(other_protocol)), Code::kInconsistentGroupProtocol);
  EXPECT_EQ(group_->state(), GroupState::kStable);
}

TEST_F(GroupTest, ProtocolThatAllSupportAndMostPreferIsSelected) {
  auto a = request(), b = request(), c = request();
  a.protocols = {protocol("range", "1"), protocol("sticky", "2")};
  b.protocols = {protocol("sticky", "3"), protocol("range", "4"), protocol("own", "5")};
  c.protocols = {protocol("sticky", "6"), protocol("range", "7")};
  Ticket ticket = join(a);
  join(b);
  join(c);
  pass(seconds(6));
  EXPECT_EQ(join_answer(ticket).protocol_name, "sticky");
  EXPECT_EQ(join_answer(ticket).members[0].metadata, bytes("2"));
}

TEST_F(GroupTest, RepeatedProtocolCountsOnce) {
  auto twice = request();
  twice.protocols = {protocol("range", "1"), protocol("range", "2")};
  Ticket ticket = join(twice);
  pass(seconds(3));
  EXPECT_EQ(join_answer(ticket).members[0].metadata, bytes("1"));
}

TEST_F(GroupTest, RebalanceTimeoutOfNoneIsTheSessionTimeout) {
  auto first = request();
  first.rebalance_timeout_ms = -1;
  Ticket ticket = join(first);
  pass(seconds(3));
  EXPECT_EQ(join_code(ticket), Code::kNone);
  EXPECT_EQ(group_->persistent().members[0].rebalance_timeout, 10000);
}

// --- limits ---

TEST_F(GroupTest, FullGroupRefusesNewMembersAndKeepsOldOnes) {
  GroupLimits limits;
  limits.members_max = 2;
  make(limits);
  stabilize(2);
  EXPECT_EQ(join_code(join(request())), Code::kGroupMaxSizeReached);
  Ticket old = join(request("m2"));
  EXPECT_EQ(join_code(old), Code::kNone);
}

TEST_F(GroupTest, ThirdJoinDuringARebalanceOfAFullGroupIsRefused) {
  GroupLimits limits;
  limits.members_max = 2;
  make(limits);
  join(request());
  join(request());
  EXPECT_EQ(join_code(join(request())), Code::kGroupMaxSizeReached);
}

TEST_F(GroupTest, MemberIdsAreHandedOutUpToTheLimit) {
  GroupLimits limits;
  limits.members_max = 2;
  make(limits);
  for (Code expected : {Code::kMemberIdRequired, Code::kMemberIdRequired, Code::kGroupMaxSizeReached}) {
    auto asks = request();
    asks.needs_known_member_id = true;
    EXPECT_EQ(join_code(join(asks)), expected);
  }
}

TEST_F(GroupTest, LoadedGroupAboveTheLimitRebalancesAndRefusesTheLast) {
  stabilize(3);
  auto saved = group_->persistent();
  GroupLimits limits;
  limits.members_max = 2;
  make(limits);
  GroupEffects effects;
  group_->restore(saved, now_, effects);
  EXPECT_EQ(group_->state(), GroupState::kPreparingRebalance);
  Ticket a = join(request("m1")), b = join(request("m2")), c = join(request("m3"));
  EXPECT_EQ(join_code(c), Code::kGroupMaxSizeReached);
  pass(seconds(60));
  EXPECT_EQ(join_code(a), Code::kNone);
  EXPECT_EQ(join_code(b), Code::kNone);
  EXPECT_EQ(group_->member_count(), 2u);
}

// --- rejoining ---

TEST_F(GroupTest, NewMemberMakesTheOthersJoinAgain) {
  stabilize(2);
  Ticket third = join(request());
  EXPECT_EQ(group_->heartbeat(identity("m1"), 1, now_), Code::kRebalanceInProgress);
  Ticket a = join(request("m1"));
  EXPECT_FALSE(joined(a));
  Ticket b = join(request("m2"));
  ASSERT_TRUE(joined(a) && joined(b) && joined(third));
  EXPECT_EQ(join_answer(third).generation, 2);
  EXPECT_EQ(join_answer(a).members.size(), 3u);
  finish({a, b, third});
}

TEST_F(GroupTest, MemberThatDoesNotRejoinInTimeIsRemoved) {
  stabilize(2);
  Ticket leader = join(request("m1"));
  for (int i = 0; i < 59; ++i) {
    pass(seconds(1));
    ASSERT_EQ(group_->heartbeat(identity("m2"), 1, now_), Code::kRebalanceInProgress);
  }
  EXPECT_FALSE(joined(leader));
  pass(seconds(1));
  EXPECT_EQ(join_answer(leader).generation, 2);
  EXPECT_EQ(join_answer(leader).members.size(), 1u);
  EXPECT_EQ(group_->heartbeat(identity("m2"), 2, now_), Code::kUnknownMemberId);
}

TEST_F(GroupTest, AnotherMemberLeadsWhenTheLeaderDoesNotRejoin) {
  stabilize(2);
  auto changed = request("m2");
  changed.protocols = {protocol("range", "topics-b")};
  Ticket follower = join(changed);
  pass(seconds(60));
  EXPECT_EQ(join_answer(follower).leader, "m2");
  EXPECT_EQ(join_answer(follower).members.size(), 1u);
}

TEST_F(GroupTest, FollowerWithTheSameMetadataGetsTheCurrentGenerationWithoutRebalance) {
  stabilize(2);
  Ticket follower = join(request("m2"));
  EXPECT_EQ(join_answer(follower).generation, 1);
  EXPECT_TRUE(join_answer(follower).members.empty());
  EXPECT_EQ(group_->state(), GroupState::kStable);
}

TEST_F(GroupTest, FollowerWithNewMetadataRebalances) {
  stabilize(2);
  auto changed = request("m2");
  changed.protocols = {protocol("range", "topics-b")};
  EXPECT_FALSE(joined(join(changed)));
  EXPECT_EQ(group_->state(), GroupState::kPreparingRebalance);
}

TEST_F(GroupTest, LeaderThatJoinsAgainRebalances) {
  stabilize(2);
  EXPECT_FALSE(joined(join(request("m1"))));
  EXPECT_EQ(group_->state(), GroupState::kPreparingRebalance);
}

TEST_F(GroupTest, JoinRepeatedWhileCompletingGetsTheSameGeneration) {
  join(request());
  join(request());
  pass(seconds(6));
  Ticket leader = join(request("m1"));
  EXPECT_EQ(join_answer(leader).generation, 1);
  EXPECT_EQ(join_answer(leader).members.size(), 2u);
  EXPECT_TRUE(join_answer(join(request("m2"))).members.empty());
  EXPECT_EQ(group_->state(), GroupState::kCompletingRebalance);
}

TEST_F(GroupTest, JoinWithNewMetadataWhileCompletingRebalancesAndEndsTheSyncs) {
  join(request());
  join(request());
  pass(seconds(6));
  Ticket waiting = sync("m2", 1);
  auto changed = request("m1");
  changed.protocols = {protocol("range", "topics-b")};
  join(changed);
  EXPECT_EQ(sync_code(waiting), Code::kRebalanceInProgress);
  EXPECT_EQ(group_->state(), GroupState::kPreparingRebalance);
}

TEST_F(GroupTest, RepeatedJoinReplacesTheOneThatWaits) {
  stabilize(2);
  Ticket lost = join(request("m1")), again = join(request("m1"));
  EXPECT_EQ(join_code(lost), Code::kRebalanceInProgress);
  Ticket other = join(request("m2"));
  EXPECT_EQ(join_answer(again).generation, 2);
  EXPECT_EQ(join_answer(other).generation, 2);
}

}  // namespace
}  // namespace farshore::broker
