#include "broker/groups/testing/group_fixture.h"

namespace farshore::broker {
namespace {

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

TEST_F(StaticMember, ReturningLeaderWithAnOldClientIsNotNamedLeader) {
  stabilize_static();
  auto old = instance("a");
  old.can_skip_assignment = false;
  Ticket back = join(old);
  write_all();
  EXPECT_EQ(join_answer(back).leader, "m1");
  EXPECT_TRUE(join_answer(back).members.empty());
  EXPECT_EQ(group_->leader(), "m3");
}

TEST_F(StaticMember, ReplacedMemberIdIsFenced) {
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

TEST_F(StaticMember, WaitingRequestsOfAReplacedMemberIdAreFenced) {
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

TEST_F(StaticMember, LateStaticMemberIsRemovedOnlyWhenItsSessionEnds) {
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

TEST_F(StaticMember, AdministratorRemovesMemberByInstanceId) {
  stabilize_static();
  EXPECT_EQ(leave({identity("", "b")}), std::vector{Code::kNone});
  EXPECT_EQ(group_->member_count(), 1u);
  EXPECT_EQ(group_->state(), GroupState::kPreparingRebalance);
}

TEST_F(StaticMember, SilentMembersWithATinyRebalanceTimeoutDoNotMakeTheGroupBusy) {
  auto a = instance("a");
  a.rebalance_timeout_ms = 1;
  a.session_timeout_ms = 60000;
  Ticket first = join(a);
  pass(seconds(3));
  finish({first});
  auto late = request();  // m2
  late.rebalance_timeout_ms = 1;
  join(late);
  leave({identity("m2")});
  int wakes = 0;
  for (MonoTime end = now_.mono + seconds(50); group_->next_deadline() < end; ++wakes) {
    move_to(std::max(now_.mono, group_->next_deadline()));
    GroupEffects effects;
    group_->expire(now_, effects);
    take(effects);
    ASSERT_LT(wakes, 200);
  }
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

}  // namespace
}  // namespace farshore::broker
