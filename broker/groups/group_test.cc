#include "broker/groups/group.h"

#include <gtest/gtest.h>

#include "base/bytes.h"
#include "proto/kafka/messages/consumer_protocol.h"
#include "proto/kafka/wire.h"

namespace farshore::broker {
namespace {

using Code = kafka::ErrorCode;

kafka::Bytes bytes(std::string_view text) {
  auto view = as_bytes(text);
  return kafka::Bytes(view.begin(), view.end());
}

MemberIdentity identity(std::string member_id, std::optional<std::string> instance_id = std::nullopt) {
  MemberIdentity out;
  out.member_id = std::move(member_id);
  out.instance_id = std::move(instance_id);
  return out;
}

// A group with a clock in hand, and its answers kept by ticket.
class GroupTest : public ::testing::Test {
 protected:
  GroupTest() { make(); }

  void make(GroupLimits limits = {}) {
    limits_ = limits;
    group_.emplace("g", limits, now_.wall);
  }

  JoinRequest request(std::string member_id = "") {
    JoinRequest out;
    out.member_id = std::move(member_id);
    out.client_id = "client";
    out.client_host = "/10.0.0.1";
    out.session_timeout_ms = 10000;
    out.rebalance_timeout_ms = 60000;
    out.protocol_type = "consumer";
    out.protocols = {protocol("range", "topics-a")};
    out.new_member_id = "m" + std::to_string(++members_made_);
    return out;
  }
  static GroupProtocol protocol(std::string name, std::string_view metadata) {
    GroupProtocol out;
    out.name = std::move(name);
    out.metadata = bytes(metadata);
    return out;
  }

  Ticket join(JoinRequest request) {
    GroupEffects effects;
    group_->join(std::move(request), ++ticket_, now_, effects);
    take(effects);
    return ticket_;
  }
  Ticket sync(std::string member_id, int32_t generation,
              std::vector<std::pair<std::string, kafka::Bytes>> assignments = {},
              std::optional<std::string> instance_id = std::nullopt) {
    SyncRequest out;
    out.member = identity(std::move(member_id), std::move(instance_id));
    out.generation = generation;
    out.assignments = std::move(assignments);
    GroupEffects effects;
    group_->sync(std::move(out), ++ticket_, now_, effects);
    take(effects);
    return ticket_;
  }
  std::vector<Code> leave(std::vector<MemberIdentity> members) {
    GroupEffects effects;
    auto codes = group_->leave(members, now_, effects);
    take(effects);
    return codes;
  }
  // Lets time pass, with every deadline on the way.
  void pass(Duration time) {
    const MonoTime until = now_.mono + time;
    while (group_->next_deadline() <= until) {
      move_to(std::max(now_.mono, group_->next_deadline()));
      GroupEffects effects;
      group_->expire(now_, effects);
      take(effects);
    }
    move_to(until);
  }
  void write_all(Code code = Code::kNone) {
    auto writes = std::exchange(writes_, {});
    for (auto& write : writes) {
      GroupEffects effects;
      group_->written(write.token, code, now_, effects);
      if (code == Code::kNone) log_ = write.value;
      take(effects);
    }
  }
  void take(GroupEffects& effects) {
    for (auto& [ticket, answer] : effects.joins) {
      ASSERT_TRUE(joins_.emplace(ticket, answer).second) << "join answered twice";
    }
    for (auto& [ticket, answer] : effects.syncs) {
      ASSERT_TRUE(syncs_.emplace(ticket, answer).second) << "sync answered twice";
    }
    for (auto& write : effects.writes) writes_.push_back(write);
  }
  void move_to(MonoTime at) {
    now_.wall.milliseconds_since_epoch += std::chrono::duration_cast<milliseconds>(at - now_.mono).count();
    now_.mono = at;
  }

  bool joined(Ticket ticket) const { return joins_.count(ticket) != 0; }
  bool synced(Ticket ticket) const { return syncs_.count(ticket) != 0; }
  const JoinAnswer& join_answer(Ticket ticket) { return joins_.at(ticket); }
  const SyncAnswer& sync_answer(Ticket ticket) { return syncs_.at(ticket); }
  Code join_code(Ticket ticket) { return joins_.at(ticket).error; }
  Code sync_code(Ticket ticket) { return syncs_.at(ticket).error; }

  // `count` dynamic members m1..mN, Stable, each with its own assignment; m1 leads.
  void stabilize(int count) {
    std::vector<Ticket> tickets;
    for (int i = 0; i < count; ++i) tickets.push_back(join(request()));
    pass(limits_.initial_rebalance_delay * 2);
    finish(tickets);
  }
  // Everybody syncs what the joins answered.
  void finish(const std::vector<Ticket>& tickets) {
    std::vector<std::pair<std::string, kafka::Bytes>> assignments;
    for (Ticket ticket : tickets)
      assignments.emplace_back(join_answer(ticket).member_id, bytes("of-" + join_answer(ticket).member_id));
    for (Ticket ticket : tickets) {
      const JoinAnswer& answer = join_answer(ticket);
      ASSERT_EQ(answer.error, Code::kNone);
      sync(answer.member_id, answer.generation,
           answer.leader == answer.member_id ? assignments : decltype(assignments)());
    }
    write_all();
    ASSERT_EQ(group_->state(), GroupState::kStable);
  }

  GroupLimits limits_;
  GroupNow now_{MonoTime(seconds(1000)), WallTime{1700000000000}};
  std::optional<Group> group_;
  int members_made_ = 0;
  Ticket ticket_ = 0;
  std::map<Ticket, JoinAnswer> joins_;
  std::map<Ticket, SyncAnswer> syncs_;
  std::vector<GroupEffects::Write> writes_;
  std::optional<kafka::GroupMetadataValue> log_;  // what was written last
};

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

TEST_F(GroupTest, DelayIsNotProlongedWhenNobodyCame) {
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

TEST_F(GroupTest, RebalanceWaitsForThoseWhoHoldAMemberId) {
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

// --- syncing ---

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

TEST_F(GroupTest, SyncDuringARebalanceSaysSo) {
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

TEST_F(GroupTest, WhoDoesNotJoinAgainInTimeIsRemoved) {
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

TEST_F(GroupTest, SomebodyElseLeadsWhenTheLeaderDoesNotJoinAgain) {
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

// --- heartbeats and sessions ---

TEST_F(GroupTest, HeartbeatIsCheckedForMemberAndGeneration) {
  stabilize(1);
  EXPECT_EQ(group_->heartbeat(identity("m1"), 1, now_), Code::kNone);
  EXPECT_EQ(group_->heartbeat(identity("m1"), 0, now_), Code::kIllegalGeneration);
  EXPECT_EQ(group_->heartbeat(identity("nobody"), 1, now_), Code::kUnknownMemberId);
}

TEST_F(GroupTest, HeartbeatWhileCompletingIsFine) {
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

TEST_F(GroupTest, WaitingForTheOthersCountsAsAlive) {
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

TEST_F(GroupTest, WaitingForTheAssignmentCountsAsAliveAndTheSessionBeginsAgainAfterIt) {
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

TEST_F(GroupTest, WhoLeavesWhileItsJoinWaitsIsAnswered) {
  stabilize(2);
  Ticket waiting = join(request("m1"));
  leave({identity("m1")});
  EXPECT_EQ(join_code(waiting), Code::kUnknownMemberId);
}

// --- static members (KIP-345, KIP-814) ---

class StaticMember : public GroupTest {
 protected:
  JoinRequest instance(std::string name, std::string member_id = "") {
    auto out = request(std::move(member_id));
    out.instance_id = std::move(name);
    out.needs_known_member_id = true;
    out.can_skip_assignment = true;
    return out;
  }
  // m1 (instance a) leads, m2 (instance b) follows.
  void stabilize_static() {
    Ticket a = join(instance("a")), b = join(instance("b"));
    pass(seconds(6));
    finish({a, b});
  }
};

TEST_F(StaticMember, NeedsNoMemberIdFirst) {
  Ticket ticket = join(instance("a"));
  pass(seconds(3));
  EXPECT_EQ(join_code(ticket), Code::kNone);
  EXPECT_EQ(join_answer(ticket).members[0].instance_id, "a");
}

TEST_F(StaticMember, FollowerThatComesBackGetsItsAssignmentWithoutRebalance) {
  stabilize_static();
  Ticket back = join(instance("b"));  // m3
  EXPECT_FALSE(joined(back));
  ASSERT_EQ(writes_.size(), 1u);
  write_all();
  EXPECT_EQ(group_->state(), GroupState::kStable);
  EXPECT_EQ(join_answer(back).member_id, "m3");
  EXPECT_EQ(join_answer(back).generation, 1);
  EXPECT_EQ(join_answer(back).leader, "m1");
  EXPECT_FALSE(join_answer(back).skip_assignment);
  EXPECT_EQ(sync_answer(sync("m3", 1, {}, "b")).assignment, bytes("of-m2"));
  ASSERT_TRUE(log_);
  EXPECT_EQ(log_->members[1].member_id, "m3");
  EXPECT_EQ(log_->members[1].assignment, bytes("of-m2"));
}

TEST_F(StaticMember, LeaderThatComesBackLearnsTheMembersButMustNotAssign) {
  stabilize_static();
  Ticket back = join(instance("a"));
  write_all();
  EXPECT_EQ(join_answer(back).leader, "m3");
  EXPECT_TRUE(join_answer(back).skip_assignment);
  EXPECT_EQ(join_answer(back).members.size(), 2u);
}

TEST_F(StaticMember, OldClientThatComesBackAsLeaderIsNotToldThatItLeads) {
  stabilize_static();
  auto old = instance("a");
  old.can_skip_assignment = false;
  Ticket back = join(old);
  write_all();
  EXPECT_EQ(join_answer(back).leader, "m1");
  EXPECT_TRUE(join_answer(back).members.empty());
  EXPECT_EQ(group_->leader(), "m3");
}

TEST_F(StaticMember, OldSelfIsFenced) {
  stabilize_static();
  join(instance("b"));
  write_all();
  EXPECT_EQ(group_->heartbeat(identity("m2", "b"), 1, now_), Code::kFencedInstanceId);
  EXPECT_EQ(sync_code(sync("m2", 1, {}, "b")), Code::kFencedInstanceId);
  EXPECT_EQ(group_->check_commit(identity("m2", "b"), 1, now_), Code::kFencedInstanceId);
  EXPECT_EQ(join_code(join(instance("b", "m2"))), Code::kFencedInstanceId);
  EXPECT_EQ(leave({identity("m2", "b")}), std::vector{Code::kFencedInstanceId});
  EXPECT_EQ(group_->heartbeat(identity("m2"), 1, now_), Code::kUnknownMemberId);
}

TEST_F(StaticMember, WaitingRequestsOfTheOldSelfAreFenced) {
  stabilize_static();
  Ticket old = join(instance("a", "m1"));
  Ticket back = join(instance("a"));
  EXPECT_EQ(join_code(old), Code::kFencedInstanceId);
  EXPECT_FALSE(joined(back));
  join(instance("b", "m2"));
  EXPECT_EQ(join_code(back), Code::kNone);
}

TEST_F(StaticMember, ReplacementThatChangesTheProtocolRebalances) {
  auto a = instance("a"), b = instance("b");
  a.protocols = b.protocols = {protocol("range", "1"), protocol("sticky", "2")};
  Ticket first = join(a), second = join(b);
  pass(seconds(6));
  finish({first, second});
  auto back = instance("b");
  back.protocols = {protocol("sticky", "2")};
  join(back);
  EXPECT_EQ(group_->state(), GroupState::kPreparingRebalance);
  EXPECT_TRUE(writes_.empty());
}

TEST_F(StaticMember, ReplacementWhileCompletingRebalances) {
  join(instance("a"));
  join(instance("b"));
  pass(seconds(6));
  Ticket waiting = sync("m2", 1, {}, "b");
  join(instance("b"));
  EXPECT_EQ(sync_code(waiting), Code::kFencedInstanceId);
  EXPECT_EQ(group_->state(), GroupState::kPreparingRebalance);
}

TEST_F(StaticMember, ReplacementThatCannotBeWrittenIsUndone) {
  stabilize_static();
  Ticket back = join(instance("b"));
  write_all(Code::kNotCoordinator);
  EXPECT_EQ(join_code(back), Code::kNotCoordinator);
  EXPECT_EQ(group_->heartbeat(identity("m2", "b"), 1, now_), Code::kNone);
  EXPECT_EQ(group_->persistent().members[1].assignment, bytes("of-m2"));
  EXPECT_EQ(join_answer(join(instance("b", "m2"))).generation, 1);
}

TEST_F(StaticMember, ReplacementOvertakenByARebalanceIsAnsweredByIt) {
  stabilize_static();
  Ticket back = join(instance("b"));
  Ticket leader = join(instance("a", "m1"));
  EXPECT_EQ(join_answer(back).generation, 2);
  EXPECT_EQ(join_answer(leader).generation, 2);
  write_all();  // comes too late to matter
  EXPECT_EQ(group_->state(), GroupState::kCompletingRebalance);
}

TEST_F(StaticMember, IsNotRemovedForJoiningLateButForItsSession) {
  stabilize_static();
  Ticket leader = join(instance("a", "m1"));
  pass(milliseconds(9999));
  EXPECT_FALSE(joined(leader));
  EXPECT_EQ(group_->member_count(), 2u);
  pass(milliseconds(1));
  EXPECT_EQ(join_answer(leader).members.size(), 1u);
}

TEST_F(StaticMember, SilentStaticMemberStaysInTheNextGenerationWhileItsSessionLasts) {
  auto a = instance("a"), b = instance("b");
  b.session_timeout_ms = 300000;
  Ticket first = join(a), second = join(b);
  pass(seconds(6));
  finish({first, second});
  Ticket leader = join(instance("a", "m1"));
  pass(seconds(60));
  EXPECT_EQ(join_answer(leader).members.size(), 2u);
}

TEST_F(StaticMember, AdministratorRemovesItByItsInstance) {
  stabilize_static();
  EXPECT_EQ(leave({identity("", "b")}), std::vector{Code::kNone});
  EXPECT_EQ(group_->member_count(), 1u);
  EXPECT_EQ(group_->state(), GroupState::kPreparingRebalance);
}

TEST_F(StaticMember, GroupWhereOnlySilentStaticMembersAreLeftWaitsForTheirSessions) {
  auto a = instance("a"), b = instance("b");
  a.session_timeout_ms = b.session_timeout_ms = 300000;
  Ticket first = join(a), second = join(b);
  pass(seconds(6));
  finish({first, second});
  Ticket late = join(request());  // begins a rebalance, then goes
  leave({identity("m3")});
  EXPECT_EQ(join_code(late), Code::kUnknownMemberId);
  pass(seconds(200));
  EXPECT_EQ(group_->state(), GroupState::kPreparingRebalance);
  pass(seconds(101));
  EXPECT_EQ(group_->state(), GroupState::kEmpty);
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

TEST_F(GroupTest, ClosingAnswersEverybody) {
  stabilize(2);
  Ticket a = join(request("m1"));
  GroupEffects effects;
  group_->close(Code::kNotCoordinator, effects);
  take(effects);
  EXPECT_EQ(join_code(a), Code::kNotCoordinator);
  EXPECT_EQ(group_->next_deadline(), MonoTime::max());
}

// --- what the offsets need to know ---

TEST_F(GroupTest, KnowsTheTopicsThatAConsumerGroupSubscribesTo) {
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
