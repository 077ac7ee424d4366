#include "broker/groups/testing/coordinator_fixture.h"

namespace farshore::broker {
namespace {

// --- finding and loading ---

TEST_F(CoordinatorTest, TopicIsMadeByTheFirstFindCoordinator) {
  start();
  EXPECT_EQ(groups().heartbeat("g", identity("m"), 1), Code::kNotCoordinator);
  EXPECT_EQ(groups().list().error, Code::kNone);
  EXPECT_TRUE(groups().list().groups.empty());
  EXPECT_EQ(disk_.partition_count, 0);
  EXPECT_EQ(find("g"), Code::kNone);
  EXPECT_EQ(disk_.partition_count, 5);
  loaded();
  EXPECT_EQ(disk_.appends, 0u);  // nothing is written for nothing
}

TEST_F(CoordinatorTest, TopicThatCannotBeMadeIsNotAvailable) {
  start();
  disk_.open_error = Error(ErrorCode::kNoSpace, "full");
  EXPECT_EQ(find("g"), Code::kCoordinatorNotAvailable);
  disk_.open_error.reset();
  EXPECT_EQ(find("g"), Code::kNone);
}

TEST_F(CoordinatorTest, RequestWhileLoadingGetsLoadInProgress) {
  start_ready();
  ASSERT_EQ(commit("g", 5), Code::kNone);
  kill();
  start();
  EXPECT_EQ(groups().fetch("g").error, Code::kCoordinatorLoadInProgress);
  EXPECT_EQ(groups().list().error, Code::kCoordinatorLoadInProgress);
  EXPECT_EQ(groups().describe("g").error, Code::kCoordinatorLoadInProgress);
  EXPECT_EQ(groups().heartbeat("g", identity("m"), 1), Code::kNone);  // it may be a member
  EXPECT_EQ(commit("g", 6), Code::kCoordinatorLoadInProgress);
  loaded();
  EXPECT_EQ(committed("g"), 5);
}

TEST_F(CoordinatorTest, PartitionThatCannotBeOpenedIsNotCoordinatedHereAndTriedAgainLater) {
  start_ready();
  ASSERT_EQ(commit("g", 5), Code::kNone);
  kill();
  disk_.open_error = Error(ErrorCode::kIo, "offline");
  start();
  world_->run_for(milliseconds(100));
  EXPECT_EQ(groups().fetch("g").error, Code::kNotCoordinator);
  disk_.open_error.reset();
  world_->run_for(seconds(2));
  groups().fetch("g");  // starts it
  world_->run_for(seconds(1));
  EXPECT_EQ(committed("g"), 5);
}

TEST_F(CoordinatorTest, DamagedRecordLeavesItsPartitionUnservedAndTheOthersAlone) {
  start_ready();
  ASSERT_EQ(commit("g", 5), Code::kNone);
  std::string other;
  for (int i = 0; other.empty() || group_partition(other, 5) == group_partition("g", 5); ++i)
    other = "other" + std::to_string(i);
  ASSERT_EQ(commit(other, 6), Code::kNone);
  kill();
  BatchBuilder builder;
  builder.base_offset(1).add(0, "\0\1\0", "nonsense");
  disk_.partitions[group_partition("g", 5)].batches.push_back(builder.build());
  disk_.partitions[group_partition("g", 5)].end = Offset(2);
  start();
  world_->run_for(milliseconds(200));
  EXPECT_EQ(groups().fetch("g").error, Code::kNotCoordinator);
  EXPECT_EQ(committed(other), 6);
}

TEST_F(CoordinatorTest, EmptyGroupIdIsInvalidForMembersOnly) {
  start_ready();
  EXPECT_EQ(call(groups().join("", join_request(), nullptr)).error, Code::kInvalidGroupId);
  EXPECT_EQ(call(groups().sync("", SyncRequest(), nullptr)).error, Code::kInvalidGroupId);
  EXPECT_EQ(groups().heartbeat("", identity("m"), 1), Code::kInvalidGroupId);
  EXPECT_EQ(groups().leave("", {}).error, Code::kInvalidGroupId);
  EXPECT_EQ(call(groups().delete_group("")), Code::kGroupIdNotFound);
  EXPECT_EQ(groups().describe("").error, Code::kGroupIdNotFound);
  EXPECT_EQ(commit("", 1), Code::kNone);
  EXPECT_EQ(committed(""), 1);
}

TEST_F(CoordinatorTest, SessionTimeoutOutsideTheBoundsIsRefused) {
  start_ready();
  for (int32_t timeout : {5999, 1800001, -1}) {
    auto request = join_request();
    request.session_timeout_ms = timeout;
    EXPECT_EQ(call(groups().join("g", request, nullptr)).error, Code::kInvalidSessionTimeout) << timeout;
  }
}

// --- members ---

TEST_F(CoordinatorTest, ThreeMembersFormAGenerationAndGetTheirAssignments) {
  start_ready();
  std::vector<std::shared_ptr<std::optional<JoinAnswer>>> joins;
  for (int i = 0; i < 3; ++i) joins.push_back(begin(groups().join("g", join_request(), nullptr)));
  world_->run_until([&] { return joins[0]->has_value() && joins[1]->has_value() && joins[2]->has_value(); },
                    seconds(10));
  std::vector<std::shared_ptr<std::optional<SyncAnswer>>> syncs;
  for (auto& joined : joins) {
    ASSERT_EQ(joined->value().error, Code::kNone);
    EXPECT_EQ(joined->value().generation, 1);
    syncs.push_back(begin(groups().sync("g", sync_request(**joined), nullptr)));
  }
  world_->run_for(seconds(1));
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(syncs[i]->has_value());
    EXPECT_EQ(syncs[i]->value().error, Code::kNone);
    EXPECT_EQ(syncs[i]->value().assignment, bytes("of-" + joins[i]->value().member_id));
    EXPECT_EQ(groups().heartbeat("g", identity(joins[i]->value().member_id), 1), Code::kNone);
  }
  EXPECT_EQ(groups().describe("g").group.state, "Stable");
}

TEST_F(CoordinatorTest, MemberWithoutHeartbeatsIsRemovedByItsTimer) {
  start_ready();
  auto joined = stable_member("g");
  world_->run_for(milliseconds(9500));
  EXPECT_EQ(groups().describe("g").group.state, "Stable");
  world_->run_for(seconds(1));
  EXPECT_EQ(groups().describe("g").group.state, "Empty");
  EXPECT_EQ(groups().heartbeat("g", identity(joined.member_id), 1), Code::kUnknownMemberId);
}

TEST_F(CoordinatorTest, JoinWithAMemberIdIntoAGroupThatDoesNotExistIsRefused) {
  start_ready();
  EXPECT_EQ(call(groups().join("g", join_request("m1"), nullptr)).error, Code::kUnknownMemberId);
  EXPECT_EQ(groups().describe("g").error, Code::kGroupIdNotFound);
}

TEST_F(CoordinatorTest, MemberIdsBeginWithTheClientIdAndAreUnique) {
  start_ready();
  auto request = join_request();
  request.needs_known_member_id = true;
  auto a = call(groups().join("g", request, nullptr)), b = call(groups().join("g", request, nullptr));
  EXPECT_EQ(a.error, Code::kMemberIdRequired);
  EXPECT_TRUE(a.member_id.starts_with("client-"));
  EXPECT_EQ(a.member_id.size(), std::string("client-").size() + 36);
  EXPECT_NE(a.member_id, b.member_id);
}

TEST_F(CoordinatorTest, MemberWhoseConnectionEndedStopsWaiting) {
  start_ready();
  stable_member("g");
  Notifier gone(*env_);
  auto waiting = begin(groups().join("g", join_request(), &gone));  // the first member does not join again
  world_->run_for(seconds(1));
  EXPECT_FALSE(waiting->has_value());
  gone.close();
  world_->run_for(milliseconds(10));
  EXPECT_TRUE(waiting->has_value());
  world_->run_for(seconds(60));  // its answer, later, reaches nobody
}

TEST_F(CoordinatorTest, StopAnswersAllWaitingRequests) {
  start_ready();
  stable_member("g");
  auto waiting = begin(groups().join("g", join_request(), nullptr));
  world_->run_for(milliseconds(100));
  EXPECT_FALSE(waiting->has_value());
  ASSERT_TRUE(world_->run(*env_, groups().stop(), seconds(5)));
  world_->run_for(Duration(0));  // the answer is given; the order in which the two coroutines resume is random
  ASSERT_TRUE(waiting->has_value());
  EXPECT_EQ(waiting->value().error, Code::kNotCoordinator);
  EXPECT_EQ(groups().fetch("g").error, Code::kCoordinatorNotAvailable);
}

// --- restarts ---

TEST_F(CoordinatorTest, MembersOffsetsAndAssignmentsSurviveAKill) {
  start_ready();
  auto joined = stable_member("g");
  ASSERT_EQ(commit("g", 5, joined.member_id, 1), Code::kNone);
  restart();
  auto described = groups().describe("g");
  EXPECT_EQ(described.group.state, "Stable");
  ASSERT_EQ(described.group.members.size(), 1u);
  EXPECT_EQ(described.group.members[0].client_host, "/10.0.0.1");
  EXPECT_EQ(groups().heartbeat("g", identity(joined.member_id), 1), Code::kNone);
  auto request = sync_request(joined);
  request.assignments.clear();
  EXPECT_EQ(call(groups().sync("g", request, nullptr)).assignment, bytes("of-" + joined.member_id));
  EXPECT_EQ(commit("g", 6, joined.member_id, 1), Code::kNone);
  auto fetched = groups().fetch("g");
  ASSERT_TRUE(fetched.offsets);
  EXPECT_EQ(fetched.offsets->find("t", 0)->leader_epoch, 3);
  EXPECT_EQ(fetched.offsets->find("t", 0)->metadata, "note");
}

TEST_F(CoordinatorTest, MemberThatDiesWithTheBrokerIsRemovedAfterItsSession) {
  start_ready();
  stable_member("g");
  restart();
  world_->run_for(seconds(11));
  EXPECT_EQ(groups().describe("g").group.state, "Empty");
}

// The crash test. One run without faults counts the resumptions; then the broker is killed at each of them. A client
// commits 1, 2, 3 ..., and a member goes through join and sync. Whatever was acknowledged is there after the restart,
// and nothing that was never sent.
class KillTest : public CoordinatorTest {
 protected:
  struct Client {
    int64_t sent = 0, acknowledged = 0;
    int32_t generation = 0;  // whose assignment was acknowledged
    std::string member_id;
    bool deleted = false, done = false;
  };
  static Task<void> drive(Env& env, GroupCoordinator& groups, Client& client) {
    (void)co_await groups.find("g");
    while (groups.list().error != Code::kNone) co_await env.sleep(milliseconds(1));
    for (int i = 0; i < 6; ++i) {
      auto request = commit_request("g", ++client.sent);
      const Code committed = co_await groups.commit(std::move(request));
      if (committed == Code::kNone) client.acknowledged = client.sent;
    }
    for (int i = 0; i < 2; ++i) {  // two generations
      auto join = join_request(client.member_id);
      JoinAnswer joined = co_await groups.join("h", std::move(join), nullptr);
      if (joined.error != Code::kNone) continue;
      client.member_id = joined.member_id;
      auto sync = sync_request(joined);
      SyncAnswer synced = co_await groups.sync("h", std::move(sync), nullptr);
      if (synced.error == Code::kNone) client.generation = joined.generation;
    }
    auto last = commit_request("gone", 1);
    (void)co_await groups.commit(std::move(last));
    client.deleted = co_await groups.delete_group("gone") == Code::kNone;
    client.done = true;
  }
};

TEST_F(KillTest, AcknowledgedStateSurvivesAKillAtAnyStep) {
  options_.group.initial_rebalance_delay = milliseconds(1);
  options_.partitions = 2;
  uint64_t steps = 0;
  for (uint64_t n = 1; n < 100000; ++n) {
    disk_ = FakeDisk();
    SimOptions sim_options;
    sim_options.seed = n;
    world_.emplace(sim_options);
    start();
    Client client;
    bool killed = false;
    SimEnv* first = env_;
    first->at_resumption(n, [&, first] {
      killed = true;
      process_.reset();
      world_->kill(*first);
    });
    world_->spawn(*env_, drive(*env_, groups(), client));
    world_->run_until([&] { return client.done || killed; }, seconds(60));
    steps = n;
    if (!killed) {
      ASSERT_TRUE(client.done);
      ASSERT_EQ(client.acknowledged, 6);
      ASSERT_EQ(client.generation, 2);
      ASSERT_TRUE(client.deleted);
      kill();
      break;
    }
    world_->run_for(milliseconds(1));  // it is dead
    if (n % 2) disk_.forget_uncommitted();
    start();
    ASSERT_EQ(find("g"), Code::kNone);
    loaded();
    const int64_t there = committed("g");
    ASSERT_GE(there == -1 ? 0 : there, client.acknowledged) << "killed at resumption " << n;
    ASSERT_LE(there, client.sent) << "killed at resumption " << n;
    if (client.generation > 0) {
      auto described = groups().describe("h");
      ASSERT_EQ(described.error, Code::kNone) << "killed at resumption " << n;
      ASSERT_EQ(described.group.state, "Stable") << "killed at resumption " << n;
      ASSERT_EQ(described.group.members.at(0).assignment, bytes("of-" + client.member_id));
      const auto listed = groups().list().groups;
      for (const Group* group : listed)
        if (group->id() == "h") {
          ASSERT_GE(group->generation(), client.generation) << "killed at resumption " << n;
        }
    }
    if (client.deleted) {
      ASSERT_EQ(committed("gone"), -1) << "killed at resumption " << n;
    }
    kill();
  }
  EXPECT_GT(steps, 50u);  // it did stop inside
  EXPECT_LT(steps, 99999u);
}

// --- memory

TEST_F(CoordinatorTest, JoinOfMoreThanOneMemberMayBringIsRefused) {
  options_.member_bytes_max = 2000;
  start_ready();
  JoinRequest large = join_request();
  large.protocols[0].metadata.resize(2000);
  EXPECT_EQ(call(groups().join("g", std::move(large), nullptr)).error, Code::kMessageTooLarge);
  JoinRequest many = join_request();
  for (int i = 0; i < 100; ++i) many.protocols.emplace_back().name = std::to_string(i);
  EXPECT_EQ(call(groups().join("g", std::move(many), nullptr)).error, Code::kMessageTooLarge);
  EXPECT_EQ(call(groups().join("g", join_request(), nullptr)).error, Code::kNone);
}

TEST_F(CoordinatorTest, MembersBeyondTheMemoryOfAllComeWhenOthersHaveLeft) {
  options_.members_bytes_max = 5000;
  start_ready();
  auto join = [&](const std::string& group) {
    JoinRequest request = join_request();
    request.protocols[0].metadata.resize(2000);
    return call(groups().join(group, std::move(request), nullptr));
  };
  const JoinAnswer first = join("a");
  EXPECT_EQ(first.error, Code::kNone);
  EXPECT_EQ(join("b").error, Code::kNone);
  EXPECT_EQ(join("c").error, Code::kCoordinatorNotAvailable);
  EXPECT_EQ(groups().leave("a", {identity(first.member_id)}).members, std::vector<Code>{Code::kNone});
  EXPECT_EQ(join("c").error, Code::kNone);
}

TEST_F(CoordinatorTest, MemberOfAllMemoryThereIsCanJoinAgain) {
  options_.members_bytes_max = 5000;
  start_ready();
  JoinRequest request = join_request();
  request.protocols[0].metadata.resize(2000);
  const JoinAnswer first = call(groups().join("a", request, nullptr));
  EXPECT_EQ(first.error, Code::kNone);
  EXPECT_EQ(call(groups().join("b", request, nullptr)).error, Code::kNone);
  JoinRequest again = join_request(first.member_id);
  again.protocols[0].metadata.resize(1999);  // other topics: the group has to rebalance
  EXPECT_EQ(call(groups().join("a", again, nullptr)).error, Code::kNone);
  again.protocols[0].metadata.resize(4000);
  EXPECT_EQ(call(groups().join("a", again, nullptr)).error, Code::kCoordinatorNotAvailable) << "it wants more";
  again.member_id = "not a member";
  EXPECT_EQ(call(groups().join("a", again, nullptr)).error, Code::kCoordinatorNotAvailable);
}

TEST_F(CoordinatorTest, MembersThatARestartBringsBackAreCounted) {
  options_.members_bytes_max = 5000;
  start_ready();
  std::vector<std::string> members;
  for (const char* group : {"a", "b"}) {
    JoinRequest request = join_request();
    request.protocols[0].metadata.resize(2000);
    const JoinAnswer joined = call(groups().join(group, request, nullptr));
    EXPECT_EQ(call(groups().sync(group, sync_request(joined), nullptr)).error, Code::kNone);
    members.push_back(joined.member_id);
  }
  restart();
  JoinRequest other = join_request();
  other.protocols[0].metadata.resize(2000);
  EXPECT_EQ(call(groups().join("c", other, nullptr)).error, Code::kCoordinatorNotAvailable);
  JoinRequest again = join_request(members[0]);
  again.protocols[0].metadata.resize(1999);
  EXPECT_EQ(call(groups().join("a", again, nullptr)).error, Code::kNone) << "a member is not counted twice";
  EXPECT_EQ(groups().leave("b", {identity(members[1])}).members, std::vector<Code>{Code::kNone});
  EXPECT_EQ(call(groups().join("c", other, nullptr)).error, Code::kNone);
}

TEST_F(CoordinatorTest, MemberThatNoRecordCanHoldIsRefusedWhenItJoins) {
  start_ready();
  JoinRequest large = join_request();
  large.protocols[0].metadata.resize(options_.batch_bytes_max + 1);
  EXPECT_EQ(call(groups().join("g", large, nullptr)).error, Code::kMessageTooLarge);
  large.protocols[0].metadata.resize(options_.batch_bytes_max / 2);
  large.protocols.push_back(large.protocols[0]);
  large.protocols[1].name = "roundrobin";
  large.protocols.push_back(large.protocols[0]);
  large.protocols[2].name = "sticky";
  EXPECT_EQ(call(groups().join("g", large, nullptr)).error, Code::kNone) << "only one of them is in the record";
}

}  // namespace
}  // namespace farshore::broker
