// The APIs of topics: Metadata, CreateTopics, CreatePartitions, the configs, DeleteTopics.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "broker/metadata/cluster_image.h"
#include "broker/testing/test_cluster.h"
#include "proto/kafka/messages/create_partitions.h"
#include "proto/kafka/messages/delete_topics.h"
#include "proto/kafka/messages/describe_configs.h"
#include "proto/kafka/messages/incremental_alter_configs.h"
#include "proto/kafka/messages/metadata.h"

namespace farshore::broker {
namespace {

kafka::MetadataRequest metadata_request(std::string name, bool create) {
  kafka::MetadataRequest request;
  auto& topic = request.topics.emplace().emplace_back();
  topic.name = std::move(name);
  request.allow_auto_topic_creation = create;
  return request;
}

Task<void> makes_topics(TestCluster& cluster) {
  TestClient client(cluster.client());
  FARSHORE_CO_REQUIRE(co_await client.connect(TestCluster::endpoint()));
  auto create = new_topic("orders", 3);
  create.topics[0].configs.emplace_back();
  create.topics[0].configs[0].name = "retention.ms";
  create.topics[0].configs[0].value = "1000";
  auto made = co_await client.call(create, 7);
  FARSHORE_CO_REQUIRE(made && made->topics.size() == 1);
  EXPECT_EQ(made->topics[0].error_code, 0) << made->topics[0].error_message.value_or("");
  EXPECT_EQ(made->topics[0].num_partitions, 3);
  EXPECT_FALSE(made->topics[0].topic_id.is_zero());
  auto again = co_await client.call(create, 7);
  FARSHORE_CO_REQUIRE(again);
  EXPECT_EQ(again->topics[0].error_code, wire_code(kafka::ErrorCode::kTopicAlreadyExists));

  for (int16_t version : {0, 1, 4, 8, 12, 13}) {
    auto request_call = metadata_request("orders", version < 4);  // before it there is no choice
    auto metadata = co_await client.call(std::move(request_call), version);
    FARSHORE_CO_REQUIRE(metadata && metadata->topics.size() == 1 && metadata->brokers.size() == 1);
    EXPECT_EQ(metadata->topics[0].error_code, 0);
    FARSHORE_CO_REQUIRE(metadata->topics[0].partitions.size() == 3);
    EXPECT_EQ(metadata->topics[0].partitions[2].leader_id, 1);
    EXPECT_EQ(metadata->brokers[0].host, "east-1");
    EXPECT_EQ(metadata->brokers[0].port, 9092);
  }
  auto request_call = metadata_request("absent", false);
  auto unknown = co_await client.call(std::move(request_call), 12);
  FARSHORE_CO_REQUIRE(unknown && unknown->topics.size() == 1);
  EXPECT_EQ(unknown->topics[0].error_code, wire_code(kafka::ErrorCode::kUnknownTopicOrPartition));
  auto request_made = metadata_request("made-by-asking", true);
  auto automatic = co_await client.call(std::move(request_made), 12);
  FARSHORE_CO_REQUIRE(automatic && automatic->topics.size() == 1);
  EXPECT_EQ(automatic->topics[0].error_code, 0);
  EXPECT_EQ(automatic->topics[0].partitions.size(), 1u);
}

TEST(TopicApis, TopicsAreCreatedOnDemandAndByRequest) {
  for (uint64_t seed = 10; seed < 14; ++seed) {
    TestCluster cluster(seed);
    ASSERT_TRUE(cluster.try_start());
    cluster.run(makes_topics(cluster));
    cluster.stop();
    ASSERT_TRUE(cluster.try_start());
    const TopicImage* orders = cluster.broker().image()->topic("orders");
    ASSERT_TRUE(orders);
    EXPECT_EQ(orders->configs.at("retention.ms"), "1000");
    EXPECT_EQ(orders->partitions[0].leadership_epoch, LeadershipEpoch(1));
  }
}

Task<void> asks_for_bad_topics(TestCluster& cluster) {
  using Code = kafka::ErrorCode;
  TestClient client(cluster.client());
  FARSHORE_CO_REQUIRE(co_await client.connect(TestCluster::endpoint()));
  struct Case {
    kafka::CreateTopicsRequest request;
    Code wanted;
  };
  std::vector<Case> cases;
  cases.push_back({new_topic("", 1), Code::kInvalidTopicException});
  cases.push_back({new_topic("a b", 1), Code::kInvalidTopicException});
  cases.push_back({new_topic(std::string(250, 'x'), 1), Code::kInvalidTopicException});
  cases.push_back({new_topic("..", 1), Code::kInvalidTopicException});
  cases.push_back({new_topic("zero", 0), Code::kInvalidPartitions});
  cases.push_back({new_topic("many", 2000000), Code::kPolicyViolation});
  cases.push_back({new_topic("replicated", 1), Code::kInvalidReplicationFactor});
  cases.back().request.topics[0].replication_factor = 3;
  cases.push_back({new_topic("configured", 1), Code::kInvalidConfig});
  cases.back().request.topics[0].configs.emplace_back().name = "retention.ns";
  cases.back().request.topics[0].configs[0].value = "1";
  cases.push_back({new_topic("assigned", -1), Code::kInvalidReplicaAssignment});
  cases.back().request.topics[0].assignments.emplace_back().broker_ids = {7};
  for (auto& bad : cases) {
    auto response = co_await client.call(bad.request, 5);
    FARSHORE_CO_REQUIRE(response && response->topics.size() == 1);
    EXPECT_EQ(response->topics[0].error_code, wire_code(bad.wanted)) << bad.request.topics[0].name;
    EXPECT_FALSE(response->topics[0].error_message.value_or("").empty());
  }
  auto dry = new_topic("dry", 2);
  dry.validate_only = true;
  auto checked = co_await client.call(dry, 7);
  FARSHORE_CO_REQUIRE(checked);
  EXPECT_EQ(checked->topics[0].error_code, 0);
  auto twice = new_topic("twice", 1);
  twice.topics.push_back(twice.topics[0]);
  auto refused = co_await client.call(twice, 7);
  FARSHORE_CO_REQUIRE(refused && refused->topics.size() == 1);
  EXPECT_EQ(refused->topics[0].error_code, wire_code(Code::kInvalidRequest));
}

TEST(TopicApis, BadTopicsAreRefusedWithKafkasCodes) {
  TestCluster cluster(20);
  ASSERT_TRUE(cluster.try_start());
  cluster.run(asks_for_bad_topics(cluster));
  EXPECT_TRUE(cluster.broker().image()->topics.empty());
}

Task<void> changes_topics(TestCluster& cluster) {
  using Code = kafka::ErrorCode;
  TestClient client(cluster.client());
  FARSHORE_CO_REQUIRE(co_await client.connect(TestCluster::endpoint()));
  auto request_call = new_topic("orders", 2);
  FARSHORE_CO_REQUIRE(co_await client.call(std::move(request_call), 7));

  kafka::CreatePartitionsRequest grow;
  grow.topics.emplace_back().name = "orders";
  grow.topics[0].count = 4;
  grow.topics[0].assignments.reset();
  grow.timeout_ms = 10000;
  auto grown = co_await client.call(grow, 3);
  FARSHORE_CO_REQUIRE(grown && grown->results.size() == 1);
  EXPECT_EQ(grown->results[0].error_code, 0);
  grown = co_await client.call(grow, 3);
  FARSHORE_CO_REQUIRE(grown);
  EXPECT_EQ(grown->results[0].error_code, wire_code(Code::kInvalidPartitions));

  kafka::IncrementalAlterConfigsRequest alter;
  auto& resource = alter.resources.emplace_back();
  resource.resource_type = 2;
  resource.resource_name = "orders";
  resource.configs.emplace_back().name = "retention.ms";
  resource.configs[0].value = "77";
  resource.configs.emplace_back().name = "cleanup.policy";
  resource.configs[1].config_operation = 2;
  resource.configs[1].value = "compact";
  auto altered = co_await client.call(alter, 1);
  FARSHORE_CO_REQUIRE(altered && altered->responses.size() == 1);
  EXPECT_EQ(altered->responses[0].error_code, 0) << altered->responses[0].error_message.value_or("");

  kafka::DescribeConfigsRequest describe;
  describe.resources.emplace_back().resource_type = 2;
  describe.resources[0].resource_name = "orders";
  describe.resources[0].configuration_keys.emplace() = {"retention.ms", "cleanup.policy", "segment.bytes"};
  auto described = co_await client.call(describe, 4);
  FARSHORE_CO_REQUIRE(described && described->results.size() == 1 && described->results[0].configs.size() == 3);
  EXPECT_EQ(described->results[0].configs[0].value, "delete,compact");
  EXPECT_EQ(described->results[0].configs[1].value, "77");
  EXPECT_EQ(described->results[0].configs[1].config_source, 1);
  EXPECT_EQ(described->results[0].configs[2].config_source, 5);

  kafka::DeleteTopicsRequest remove;
  remove.topics.emplace_back().name = "orders";
  remove.timeout_ms = 10000;
  auto removed = co_await client.call(remove, 6);
  FARSHORE_CO_REQUIRE(removed && removed->responses.size() == 1);
  EXPECT_EQ(removed->responses[0].error_code, 0);
  removed = co_await client.call(remove, 6);
  FARSHORE_CO_REQUIRE(removed);
  EXPECT_EQ(removed->responses[0].error_code, wire_code(Code::kUnknownTopicOrPartition));
  auto request_again = new_topic("orders", 1);
  auto again = co_await client.call(std::move(request_again), 7);
  FARSHORE_CO_REQUIRE(again);
  EXPECT_EQ(again->topics[0].error_code, 0);
}

TEST(TopicApis, TopicsAreGrownConfiguredAndDeleted) {
  TestCluster cluster(21);
  ASSERT_TRUE(cluster.try_start());
  cluster.run(changes_topics(cluster));
}

}  // namespace
}  // namespace farshore::broker
