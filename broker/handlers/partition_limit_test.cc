// max.partitions: how many partitions the topics of a cluster have together, whoever makes them.
#include <gtest/gtest.h>

#include "broker/testing/test_client.h"
#include "broker/testing/test_cluster.h"
#include "proto/kafka/messages/create_partitions.h"
#include "proto/kafka/messages/create_topics.h"
#include "proto/kafka/messages/find_coordinator.h"
#include "proto/kafka/messages/metadata.h"
#include "proto/kafka/messages/mirror_control.h"
#include "proto/link/mirror_control.h"

namespace farshore::broker {
namespace {

using Code = kafka::ErrorCode;

struct PartitionLimit : testing::Test {
  TestCluster cluster{73};
  void SetUp() override {
    cluster.set("max.partitions", "10");
    cluster.set("offsets.topic.num.partitions", "20");
    ASSERT_TRUE(cluster.try_start());
  }
  void TearDown() override { cluster.stop(); }
  size_t partitions() {
    size_t count = 0;
    for (const auto& [name, topic] : cluster.broker().image()->topics) count += topic->partitions.size();
    return count;
  }
  static void expect_refused(int16_t code, const std::optional<std::string>& message) {
    EXPECT_EQ(code, wire_code(Code::kPolicyViolation));
    EXPECT_NE(message.value_or("").find("raise max.partitions"), std::string::npos) << message.value_or("");
  }
};

Task<void> creates(TestCluster& cluster, std::string topic, int32_t partitions,
                   kafka::CreateTopicsResponse::CreatableTopicResult& result) {
  TestClient client(cluster.client());
  FARSHORE_CO_REQUIRE(co_await client.connect(TestCluster::endpoint()));
  auto request = new_topic(std::move(topic), partitions);
  auto response = co_await client.call(std::move(request), 7);
  FARSHORE_CO_REQUIRE(response && response->topics.size() == 1);
  result = response->topics[0];
}

Task<void> grows(TestCluster& cluster, std::string topic, int32_t count,
                 kafka::CreatePartitionsResponse::CreatePartitionsTopicResult& result) {
  TestClient client(cluster.client());
  FARSHORE_CO_REQUIRE(co_await client.connect(TestCluster::endpoint()));
  kafka::CreatePartitionsRequest request;
  request.topics.emplace_back().name = std::move(topic);
  request.topics[0].count = count;
  request.topics[0].assignments.reset();
  request.timeout_ms = 10000;
  auto response = co_await client.call(std::move(request), 3);
  FARSHORE_CO_REQUIRE(response && response->results.size() == 1);
  result = response->results[0];
}

Task<void> mirrors(TestCluster& cluster, int32_t partitions,
                   kafka::MirrorControlResponse::MirrorControlTopicResult& result) {
  TestClient client(cluster.client());
  FARSHORE_CO_REQUIRE(co_await client.connect(TestCluster::endpoint()));
  kafka::MirrorControlRequest request;
  request.link_id = Uuid{{7, 7, 7}};
  request.link_epoch = 1;
  request.timeout_ms = 10000;
  request.op = wire_value(MirrorOperation::kCreateTopic);
  auto& topic = request.topics.emplace_back();
  topic.name = "mirror";
  topic.source_cluster_id = "another-cluster-id-abc";
  topic.source_topic = "mirror";
  topic.source_topic_id = Uuid{{1, 2, 3}};
  topic.num_partitions = partitions;
  auto response = co_await client.call(std::move(request), kafka::MirrorControlRequest::kMaxVersion);
  FARSHORE_CO_REQUIRE(response && response->topics.size() == 1);
  result = response->topics[0];
}

TEST_F(PartitionLimit, TopicsAndTheirGrowthAreRefusedBeyondIt) {
  kafka::CreateTopicsResponse::CreatableTopicResult made;
  cluster.run(creates(cluster, "first", 7, made));
  EXPECT_EQ(made.error_code, 0);
  cluster.run(creates(cluster, "second", 4, made));
  expect_refused(made.error_code, made.error_message);
  cluster.run(creates(cluster, "second", 2, made));
  EXPECT_EQ(made.error_code, 0) << made.error_message.value_or("");
  kafka::CreatePartitionsResponse::CreatePartitionsTopicResult grown;
  cluster.run(grows(cluster, "second", 4, grown));
  expect_refused(grown.error_code, grown.error_message);
  cluster.run(grows(cluster, "second", 3, grown));
  EXPECT_EQ(grown.error_code, 0) << grown.error_message.value_or("");
  EXPECT_EQ(partitions(), 10U);
}

TEST_F(PartitionLimit, MirrorsAndTheirGrowthAreRefusedBeyondIt) {
  kafka::MirrorControlResponse::MirrorControlTopicResult made;
  cluster.run(mirrors(cluster, 11, made));
  expect_refused(made.error_code, made.error_message);
  cluster.run(mirrors(cluster, 6, made));
  EXPECT_EQ(made.error_code, 0) << made.error_message.value_or("");
  cluster.run(mirrors(cluster, 11, made));
  expect_refused(made.error_code, made.error_message);
  EXPECT_EQ(partitions(), 6U);
  cluster.run(mirrors(cluster, 10, made));
  EXPECT_EQ(made.error_code, 0) << made.error_message.value_or("");
  EXPECT_EQ(partitions(), 10U);
}

TEST_F(PartitionLimit, TopicsThatAreMadeAtTheSameTimeDoNotPassItTogether) {
  std::vector<kafka::CreateTopicsResponse::CreatableTopicResult> made(8);
  for (size_t i = 0; i < made.size(); ++i)
    cluster.world().spawn(cluster.client_env(), creates(cluster, "topic-" + std::to_string(i), 3, made[i]));
  cluster.world().run_for(seconds(20));
  EXPECT_EQ(partitions(), 9U);
}

Task<void> finds_its_coordinator(TestCluster& cluster, int16_t& code) {
  TestClient client(cluster.client());
  FARSHORE_CO_REQUIRE(co_await client.connect(TestCluster::endpoint()));
  for (int i = 0; i < 50 && code != 0; ++i) {
    kafka::FindCoordinatorRequest request;
    request.coordinator_keys.emplace_back("group");
    auto response = co_await client.call(std::move(request), 4);
    FARSHORE_CO_REQUIRE(response && response->coordinators.size() == 1);
    code = response->coordinators[0].error_code;
    co_await cluster.client().sleep(milliseconds(200));
  }
}

TEST_F(PartitionLimit, GroupsWorkInAFullCluster) {
  kafka::CreateTopicsResponse::CreatableTopicResult made;
  cluster.run(creates(cluster, "first", 10, made));
  EXPECT_EQ(made.error_code, 0);
  int16_t code = -1;
  cluster.run(finds_its_coordinator(cluster, code));
  EXPECT_EQ(code, 0);
  EXPECT_EQ(partitions(), 30U);
  cluster.run(creates(cluster, "second", 1, made));
  expect_refused(made.error_code, made.error_message);
}

}  // namespace
}  // namespace farshore::broker
