// JoinGroup, SyncGroup, Heartbeat, LeaveGroup and ListGroups, asked by members over the network.
#include <gtest/gtest.h>

#include "broker/handlers/testing/group_client.h"
#include "proto/kafka/messages/list_groups.h"

namespace farshore::broker {
namespace {

Task<void> three_members(Env& env) {
  std::vector<std::unique_ptr<Member>> members;
  for (int i = 0; i < 3; ++i) {
    members.push_back(std::make_unique<Member>(env));
    FARSHORE_CO_REQUIRE(co_await members.back()->client.connect(TestCluster::endpoint()));
  }
  co_await find(members[0]->client, env, "g");
  co_await enter_all(env, members, "g");
  int leaders = 0;
  for (auto& member : members) {
    FARSHORE_CO_REQUIRE(member->done && member->error == 0);
    EXPECT_EQ(member->generation, members[0]->generation);
    EXPECT_EQ(member->assignment, bytes("of-" + member->member_id));
    leaders += member->leader == member->member_id ? 1 : 0;
    EXPECT_EQ(member->leader == member->member_id ? member->members : 3, 3u);
    EXPECT_EQ(co_await heartbeat(*member, "g"), 0);
  }
  EXPECT_EQ(leaders, 1);

  // One falls silent; the others send heartbeats until they hear of it, and enter again.
  auto silent = std::move(members.back());
  members.pop_back();
  silent->client.close();
  int16_t heard = 0;
  for (int i = 0; i < 20 && heard == 0; ++i) {
    co_await env.sleep(milliseconds(500));
    heard = co_await heartbeat(*members[0], "g");
    int16_t other = co_await heartbeat(*members[1], "g");
    if (heard == 0) heard = other;
  }
  EXPECT_EQ(heard, wire_code(Code::kRebalanceInProgress));
  const int32_t before = members[0]->generation;
  co_await enter_all(env, members, "g");
  for (auto& member : members) {
    EXPECT_EQ(member->error, 0);
    EXPECT_EQ(member->generation, before + 1);
  }

  // A fourth member joins: all members join again.
  auto late = std::make_unique<Member>(env);
  FARSHORE_CO_REQUIRE(co_await late->client.connect(TestCluster::endpoint()));
  members.push_back(std::move(late));
  co_await enter_all(env, members, "g");
  for (auto& member : members) EXPECT_EQ(member->assignment, bytes("of-" + member->member_id));

  // All leave in one request.
  kafka::LeaveGroupRequest leave;
  leave.group_id = "g";
  for (auto& member : members) leave.members.emplace_back().member_id = member->member_id;
  auto left = co_await members[0]->client.call(std::move(leave), 5);
  FARSHORE_CO_REQUIRE(left && left->members.size() == 3);
  for (const auto& each : left->members) EXPECT_EQ(each.error_code, 0);
  kafka::ListGroupsRequest list;
  list.states_filter = {"empty"};
  list.types_filter = {"Classic"};
  auto listed = co_await members[0]->client.call(std::move(list), 5);
  FARSHORE_CO_REQUIRE(listed && listed->groups.size() == 1);
  EXPECT_EQ(listed->groups[0].group_id, "g");
  EXPECT_EQ(listed->groups[0].group_state, "Empty");
  EXPECT_EQ(listed->groups[0].group_type, "classic");
}

TEST(GroupApis, MembersJoinRebalanceAndLeave) {
  TestCluster cluster(11);
  set_group_properties(cluster);
  cluster.start();
  cluster.run(three_members(cluster.client()));
}

Task<void> static_member(Env& env) {
  std::vector<std::unique_ptr<Member>> members;
  for (const char* instance : {"a", "b"}) {
    members.push_back(std::make_unique<Member>(env));
    members.back()->instance_id = instance;
    FARSHORE_CO_REQUIRE(co_await members.back()->client.connect(TestCluster::endpoint()));
  }
  co_await find(members[0]->client, env, "g");
  co_await enter_all(env, members, "g");
  const auto was = members[1]->member_id;
  const auto assigned = members[1]->assignment;
  Member back(env);
  back.instance_id = "b";
  FARSHORE_CO_REQUIRE(co_await back.client.connect(TestCluster::endpoint()));
  co_await enter(back, "g", nullptr);
  EXPECT_EQ(back.error, 0);
  EXPECT_NE(back.member_id, was);
  EXPECT_EQ(back.generation, members[0]->generation);
  EXPECT_EQ(back.assignment, assigned);
  EXPECT_EQ(co_await heartbeat(*members[0], "g"), 0);
  EXPECT_EQ(co_await heartbeat(*members[1], "g"), wire_code(Code::kFencedInstanceId));
}

TEST(GroupApis, StaticMemberComesBackToItsAssignment) {
  TestCluster cluster(11);
  set_group_properties(cluster);
  cluster.start();
  cluster.run(static_member(cluster.client()));
}

Task<void> join_with(Env& env, std::string group, size_t bytes) {
  TestClient client(env, seconds(200));
  FARSHORE_CO_REQUIRE(co_await client.connect(TestCluster::endpoint()));
  co_await find(client, env, group);
  auto request = join_request(group, "");
  request.protocols[0].metadata.resize(bytes);
  request.rebalance_timeout_ms = 100'000;
  (void)co_await client.call(std::move(request), 2);
}

Task<void> ask_beside(Env& env, bool& answered) {
  co_await env.sleep(seconds(10));  // the joins wait by now
  TestClient client(env);
  FARSHORE_CO_REQUIRE(co_await client.connect(TestCluster::endpoint()));
  kafka::ListGroupsRequest list;
  for (int i = 0; i < 100; ++i) list.states_filter.emplace_back(5000, 'x');
  auto listed = co_await client.call(std::move(list), 5);
  answered = listed.has_value();
}

Task<void> join_and_ask(Env& env, bool& answered) {
  Gate gate(env);
  spawn(gate, "first", join_with(env, "a", 1'500'000));
  spawn(gate, "second", join_with(env, "b", 1'500'000));
  co_await ask_beside(env, answered);
  co_await gate.close();
}

TEST(GroupApis, LargeJoinsThatWaitHoldNoMemoryOfRequests) {
  TestCluster cluster(12);
  set_group_properties(cluster);
  cluster.set("queued.max.request.bytes", "2000000");
  cluster.set("group.initial.rebalance.delay.ms", "100000");
  cluster.start();
  bool answered = false;
  cluster.run(join_and_ask(cluster.client(), answered));
  EXPECT_TRUE(answered);  // it waits for 30 seconds, and the joins longer
}

}  // namespace
}  // namespace farshore::broker
