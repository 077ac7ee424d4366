// Answers about groups that tests/system/kafka_side_by_side.py compares with Apache Kafka 4.1.1: what it found, here
// without Kafka.
#include <gtest/gtest.h>

#include <string>

#include "broker/handlers/testing/data_client.h"
#include "broker/handlers/testing/group_client.h"
#include "proto/kafka/messages/offset_delete.h"

namespace farshore::broker {
namespace {

Task<void> finds(TestCluster& cluster) {
  DataClient client(cluster);
  FARSHORE_CO_REQUIRE(co_await client.ready("t", 2));
  co_await find(client, cluster.client(), "g");
  kafka::FindCoordinatorRequest one;
  one.key = "g";
  auto old = co_await client.call(one, 3);
  FARSHORE_CO_REQUIRE(old);
  EXPECT_EQ(old->error_code, 0);
  EXPECT_EQ(old->error_message, "NONE");
  auto many = find_request("g");
  auto found = co_await client.call(many, 6);
  FARSHORE_CO_REQUIRE(found && found->coordinators.size() == 1);
  EXPECT_EQ(found->coordinators[0].error_code, 0);
  EXPECT_EQ(found->coordinators[0].error_message, "");
}

TEST(KafkaGroups, FindCoordinatorSaysSuccessInTheWordsOfItsVersion) {
  TestCluster cluster(90);
  set_group_properties(cluster);
  cluster.start();
  cluster.run(finds(cluster));
}

Task<void> names_no_partitions(TestCluster& cluster) {
  DataClient client(cluster);
  FARSHORE_CO_REQUIRE(co_await client.ready("t", 2));
  co_await find(client, cluster.client(), "g");
  auto commit = commit_request("g", 5);
  commit.topics.emplace_back().name = "u";
  auto committed = co_await client.call(commit, 9);
  FARSHORE_CO_REQUIRE(committed && committed->topics.size() == 1);
  EXPECT_EQ(committed->topics[0].name, "t");
  EXPECT_EQ(committed->topics[0].partitions[0].error_code, 0);

  kafka::OffsetDeleteRequest remove;
  remove.group_id = "g";
  remove.topics.emplace_back().name = "u";
  auto removed = co_await client.call(remove, 0);
  FARSHORE_CO_REQUIRE(removed);
  EXPECT_EQ(removed->error_code, 0);
  EXPECT_TRUE(removed->topics.empty());
}

TEST(KafkaGroups, TopicWithoutPartitionsIsNotAnswered) {
  TestCluster cluster(91);
  set_group_properties(cluster);
  cluster.start();
  cluster.run(names_no_partitions(cluster));
}

Task<void> asks_twice(TestCluster& cluster) {
  DataClient client(cluster);
  FARSHORE_CO_REQUIRE(co_await client.ready("t", 2));
  co_await find(client, cluster.client(), "g");
  auto commit = commit_request("g", 5);
  auto committed = co_await client.call(commit, 9);
  FARSHORE_CO_REQUIRE(committed && committed->topics[0].partitions[0].error_code == 0);
  kafka::OffsetFetchRequest fetch;
  for (int32_t partition : {0, 1}) {
    auto& group = fetch.groups.emplace_back();
    group.group_id = "g";
    auto& topic = group.topics.emplace().emplace_back();
    topic.name = "t";
    topic.partition_indexes = {partition};
  }
  auto named = co_await client.call(fetch, 9);
  FARSHORE_CO_REQUIRE(named && named->groups.size() == 2);
  for (const auto& group : named->groups) EXPECT_EQ(group.error_code, 0);
  EXPECT_EQ(named->groups[1].topics[0].partitions[0].committed_offset, 5);
  for (auto& group : fetch.groups) group.topics.reset();
  auto all = co_await client.call(fetch, 9);
  FARSHORE_CO_REQUIRE(all && all->groups.size() == 1);
  EXPECT_EQ(all->groups[0].error_code, wire_code(Code::kInvalidRequest));
}

TEST(KafkaGroups, PartitionsOfAGroupThatIsNamedTwiceAreAnsweredTwice) {
  TestCluster cluster(92);
  set_group_properties(cluster);
  cluster.start();
  cluster.run(asks_twice(cluster));
}

}  // namespace
}  // namespace farshore::broker
