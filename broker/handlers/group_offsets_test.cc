// OffsetCommit, OffsetFetch, OffsetDelete, DescribeGroups, DeleteGroups and FindCoordinator, asked over the network.
#include <gtest/gtest.h>

#include "broker/handlers/testing/group_client.h"
#include "proto/kafka/messages/delete_groups.h"
#include "proto/kafka/messages/delete_topics.h"
#include "proto/kafka/messages/describe_groups.h"
#include "proto/kafka/messages/offset_delete.h"

namespace farshore::broker {
namespace {

Task<void> commit_and_fetch(Env& env, bool after_kill) {
  TestClient client(env);
  FARSHORE_CO_REQUIRE(co_await client.connect(TestCluster::endpoint()));
  co_await find(client, env, "g");
  if (!after_kill) {
    EXPECT_EQ(co_await fetch_offset(client, "g"), -1);
    auto request = commit_request("g", 42);
    auto& unknown = request.topics.emplace_back();
    unknown.name = "no-such-topic";
    unknown.partitions.emplace_back().committed_offset = 1;
    auto& large = request.topics[0].partitions.emplace_back();
    large.partition_index = 0;
    large.committed_metadata = std::string(4097, 'x');
    auto committed = co_await client.call(std::move(request), 9);
    FARSHORE_CO_REQUIRE(committed && committed->topics.size() == 2);
    EXPECT_EQ(committed->topics[0].partitions[0].error_code, 0);
    EXPECT_EQ(committed->topics[0].partitions[1].error_code, wire_code(Code::kOffsetMetadataTooLarge));
    EXPECT_EQ(committed->topics[1].partitions[0].error_code, wire_code(Code::kUnknownTopicOrPartition));
  }
  for (int16_t version = 1; version <= 7; ++version) {
    kafka::OffsetFetchRequest request;
    request.group_id = "g";
    auto& topic = request.topics.emplace().emplace_back();
    topic.name = "t";
    topic.partition_indexes = {0, 1};
    auto fetched = co_await client.call(std::move(request), version);
    FARSHORE_CO_REQUIRE(fetched && fetched->error_code == 0 && fetched->topics.size() == 1);
    const auto& partitions = fetched->topics[0].partitions;
    FARSHORE_CO_REQUIRE(partitions.size() == 2);
    EXPECT_EQ(partitions[0].committed_offset, -1);
    EXPECT_EQ(partitions[1].committed_offset, 42);
    EXPECT_EQ(partitions[1].committed_leader_epoch, version >= 5 ? 4 : -1);
    EXPECT_EQ(partitions[1].metadata, "note");
  }
  kafka::OffsetFetchRequest all;
  all.groups.emplace_back().group_id = "g";
  all.groups[0].topics = std::nullopt;
  all.groups.emplace_back().group_id = "nobody";
  all.groups[1].topics = std::nullopt;
  all.require_stable = true;
  auto fetched = co_await client.call(std::move(all), 9);
  FARSHORE_CO_REQUIRE(fetched && fetched->groups.size() == 2);
  FARSHORE_CO_REQUIRE(fetched->groups[0].topics.size() == 1);
  EXPECT_EQ(fetched->groups[0].topics[0].partitions.size(), 1u);
  EXPECT_TRUE(fetched->groups[1].topics.empty());
}

TEST(GroupApis, OffsetsAreCommittedPerPartitionAndSurviveAKill) {
  TestCluster cluster(11);
  set_group_properties(cluster);
  cluster.start();
  cluster.run(make_topic(cluster.client()));
  cluster.run(commit_and_fetch(cluster.client(), false));
  cluster.kill();
  cluster.start();
  cluster.run(commit_and_fetch(cluster.client(), true));
}

Task<void> describe_and_delete(Env& env) {
  Member member(env);
  FARSHORE_CO_REQUIRE(co_await member.client.connect(TestCluster::endpoint()));
  co_await find(member.client, env, "g");
  co_await enter(member, "g", nullptr);
  auto commit = commit_request("g", 7, member.member_id, member.generation);
  auto committed = co_await member.client.call(std::move(commit), 9);
  FARSHORE_CO_REQUIRE(committed && committed->topics[0].partitions[0].error_code == 0);
  auto outside = commit_request("g", 8);
  auto refused = co_await member.client.call(std::move(outside), 9);
  FARSHORE_CO_REQUIRE(refused);
  EXPECT_EQ(refused->topics[0].partitions[0].error_code, wire_code(Code::kUnknownMemberId));

  for (int16_t version : {0, 5, 6}) {
    kafka::DescribeGroupsRequest request;
    request.groups = {"g", "nobody"};
    request.include_authorized_operations = version >= 3;
    auto described = co_await member.client.call(std::move(request), version);
    FARSHORE_CO_REQUIRE(described && described->groups.size() == 2);
    EXPECT_EQ(described->groups[0].group_state, "Stable");
    FARSHORE_CO_REQUIRE(described->groups[0].members.size() == 1);
    EXPECT_EQ(described->groups[0].members[0].client_id, "test");
    EXPECT_EQ(described->groups[0].members[0].member_assignment, bytes("of-" + member.member_id));
    EXPECT_EQ(described->groups[1].group_state, "Dead");
    EXPECT_EQ(described->groups[1].error_code, version >= 6 ? wire_code(Code::kGroupIdNotFound) : 0);
  }

  kafka::DeleteGroupsRequest delete_request;
  delete_request.groups_names = {"g", "nobody"};
  auto deleted = co_await member.client.call(delete_request, 2);
  FARSHORE_CO_REQUIRE(deleted && deleted->results.size() == 2);
  EXPECT_EQ(deleted->results[0].error_code, wire_code(Code::kNonEmptyGroup));
  EXPECT_EQ(deleted->results[1].error_code, wire_code(Code::kGroupIdNotFound));
  kafka::LeaveGroupRequest leave;
  leave.group_id = "g";
  leave.member_id = member.member_id;
  auto left = co_await member.client.call(std::move(leave), 2);
  FARSHORE_CO_REQUIRE(left && left->error_code == 0);

  kafka::OffsetDeleteRequest offsets;
  offsets.group_id = "g";
  auto& topic = offsets.topics.emplace_back();
  topic.name = "t";
  topic.partitions.emplace_back().partition_index = 1;
  offsets.topics.emplace_back().name = "no-such-topic";
  offsets.topics.back().partitions.emplace_back().partition_index = 0;
  auto removed = co_await member.client.call(std::move(offsets), 0);
  FARSHORE_CO_REQUIRE(removed && removed->error_code == 0);
  EXPECT_EQ(removed->topics.at(0).partitions.at(0).error_code, 0);
  EXPECT_EQ(removed->topics.at(1).partitions.at(0).error_code, wire_code(Code::kUnknownTopicOrPartition));
  EXPECT_EQ(co_await fetch_offset(member.client, "g"), -1);

  deleted = co_await member.client.call(delete_request, 2);
  FARSHORE_CO_REQUIRE(deleted);
  EXPECT_EQ(deleted->results[0].error_code, 0);
}

TEST(GroupApis, GroupsAreDescribedAndDeleted) {
  TestCluster cluster(11);
  set_group_properties(cluster);
  cluster.start();
  cluster.run(make_topic(cluster.client()));
  cluster.run(describe_and_delete(cluster.client()));
}

Task<void> coordinators(Env& env) {
  TestClient client(env);
  FARSHORE_CO_REQUIRE(co_await client.connect(TestCluster::endpoint()));
  for (int16_t version = 0; version <= 6; ++version) {
    kafka::FindCoordinatorRequest request;
    request.key = "g";
    if (version >= 4) request = find_request("g");
    auto found = co_await client.call(std::move(request), version);
    FARSHORE_CO_REQUIRE(found);
    const auto port = version >= 4 ? found->coordinators.at(0).port : found->port;
    const auto host = version >= 4 ? found->coordinators.at(0).host : found->host;
    EXPECT_EQ(port, 9092);
    EXPECT_EQ(host, "east-1");
  }
  auto transactional = find_request("id", 1);
  auto refused = co_await client.call(std::move(transactional), 6);
  FARSHORE_CO_REQUIRE(refused);
  EXPECT_EQ(refused->coordinators.at(0).error_code, wire_code(Code::kTransactionalIdAuthorizationFailed));
  EXPECT_NE(refused->coordinators[0].error_message.value_or("").find("transactions"), std::string::npos);
}

TEST(GroupApis, CoordinatorOfGroupsIsFoundAndOfTransactionsRefused) {
  TestCluster cluster(11);
  set_group_properties(cluster);
  cluster.start();
  cluster.run(coordinators(cluster.client()));
}

Task<void> deleted_topic(Env& env) {
  TestClient client(env);
  FARSHORE_CO_REQUIRE(co_await client.connect(TestCluster::endpoint()));
  co_await find(client, env, "g");
  auto commit = commit_request("g", 9);
  auto committed = co_await client.call(std::move(commit), 9);
  FARSHORE_CO_REQUIRE(committed && committed->topics[0].partitions[0].error_code == 0);
  kafka::DeleteTopicsRequest remove;
  remove.topics.emplace_back().name = "t";
  remove.timeout_ms = 10000;
  auto removed = co_await client.call(std::move(remove), 6);
  FARSHORE_CO_REQUIRE(removed && removed->responses.at(0).error_code == 0);
  auto again = create_topic("t");
  auto created = co_await client.call(std::move(again), 7);
  FARSHORE_CO_REQUIRE(created && created->topics.at(0).error_code == 0);
  co_await env.sleep(seconds(1));
  EXPECT_EQ(co_await fetch_offset(client, "g"), -1);
}

TEST(GroupApis, RecreatedTopicHasNoCommittedOffsets) {
  TestCluster cluster(11);
  set_group_properties(cluster);
  cluster.start();
  cluster.run(make_topic(cluster.client()));
  cluster.run(deleted_topic(cluster.client()));
}

}  // namespace
}  // namespace farshore::broker
