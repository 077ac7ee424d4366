// Answers about topics that tests/system/kafka_side_by_side.py compares with Apache Kafka 4.1.1: what it found, here
// without Kafka.
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "broker/handlers/testing/data_client.h"
#include "proto/kafka/messages/alter_configs.h"
#include "proto/kafka/messages/create_partitions.h"
#include "proto/kafka/messages/create_topics.h"
#include "proto/kafka/messages/delete_topics.h"
#include "proto/kafka/messages/describe_configs.h"
#include "proto/kafka/messages/describe_log_dirs.h"
#include "proto/kafka/messages/describe_topic_partitions.h"
#include "proto/kafka/messages/incremental_alter_configs.h"
#include "proto/kafka/messages/metadata.h"

namespace farshore::broker {
namespace {

using MetadataTopic = kafka::MetadataRequest::MetadataRequestTopic;

MetadataTopic by_name(std::string name) {
  MetadataTopic topic;
  topic.name = std::move(name);
  return topic;
}

MetadataTopic by_id(TopicId id) {
  MetadataTopic topic;
  topic.name.reset();
  topic.topic_id = id;
  return topic;
}

kafka::MetadataRequest about(std::vector<MetadataTopic> topics) {
  kafka::MetadataRequest request;
  request.topics = std::move(topics);
  request.allow_auto_topic_creation = false;
  return request;
}

Task<void> asks_by_id(TestCluster& cluster) {
  DataClient client(cluster);
  FARSHORE_CO_REQUIRE(co_await client.ready("a", 1));
  FARSHORE_CO_REQUIRE(co_await client.make("b", 1));
  const TopicId id = cluster.services().metadata.image()->topic("a")->id;
  const TopicId unknown(cluster.services().env.random().uuid());

  auto request = about({by_id(id), by_name("b")});
  auto early = co_await client.call(request, 10);
  FARSHORE_CO_REQUIRE(early && early->topics.size() == 2);
  for (const auto& topic : early->topics) {
    EXPECT_EQ(topic.error_code, wire_code(Code::kInvalidRequest));
    EXPECT_TRUE(topic.partitions.empty());
  }
  EXPECT_EQ(early->topics[0].name, "");
  EXPECT_EQ(early->topics[1].name, "b");
  EXPECT_TRUE(early->brokers.empty());
  EXPECT_EQ(early->controller_id, -1);
  EXPECT_FALSE(early->cluster_id);

  auto by_id_only = co_await client.call(request, 12);
  FARSHORE_CO_REQUIRE(by_id_only && by_id_only->topics.size() == 1);
  EXPECT_EQ(by_id_only->topics[0].name, "a");

  MetadataTopic named = by_id(unknown);
  named.name = "a";
  auto request_missing = about({named});
  auto missing = co_await client.call(request_missing, 13);
  FARSHORE_CO_REQUIRE(missing && missing->topics.size() == 1);
  EXPECT_EQ(missing->topics[0].error_code, wire_code(Code::kUnknownTopicId));
  EXPECT_FALSE(missing->topics[0].name);

  auto request_operations = about({by_name("absent"), by_name("a/b")});
  request_operations.include_topic_authorized_operations = true;
  auto operations = co_await client.call(request_operations, 9);
  FARSHORE_CO_REQUIRE(operations && operations->topics.size() == 2);
  for (const auto& topic : operations->topics) EXPECT_EQ(topic.topic_authorized_operations, 3576) << *topic.name;
}

TEST(KafkaTopics, MetadataTakesIdsFromVersion12AndThenNoNames) {
  TestCluster cluster(80);
  ASSERT_TRUE(cluster.try_start());
  cluster.run(asks_by_id(cluster));
}

Task<void> pages_from_a_cursor(TestCluster& cluster) {
  DataClient client(cluster);
  FARSHORE_CO_REQUIRE(co_await client.ready("a", 3));
  const std::vector<std::pair<std::string, int32_t>> from = {{"a", 1}, {"a", -1}, {"b", 0}, {"", 0}};
  for (size_t i = 0; i < from.size(); ++i) {
    kafka::DescribeTopicPartitionsRequest request;
    request.topics.emplace_back().name = "a";
    auto& cursor = request.cursor.emplace();
    cursor.topic_name = from[i].first;
    cursor.partition_index = from[i].second;
    auto page = co_await client.call(request, 0);
    FARSHORE_CO_REQUIRE(page && page->topics.size() == 1);
    EXPECT_EQ(page->topics[0].error_code, wire_code(i == 0 ? Code::kNone : Code::kInvalidRequest)) << i;
    EXPECT_EQ(page->topics[0].partitions.size(), i == 0 ? 2u : 0u);
  }
}

TEST(KafkaTopics, ACursorOutsideOfTheTopicsAskedForIsRefused) {
  TestCluster cluster(81);
  ASSERT_TRUE(cluster.try_start());
  cluster.run(pages_from_a_cursor(cluster));
}

Task<void> changes_without_time(TestCluster& cluster) {
  DataClient client(cluster);
  FARSHORE_CO_REQUIRE(co_await client.ready("t", 1));
  for (const int32_t timeout_ms : {0, -1}) {
    auto create = new_topic("late", 1);
    create.timeout_ms = timeout_ms;
    auto created = co_await client.call(create, 7);
    FARSHORE_CO_REQUIRE(created && created->topics.size() == 1);
    EXPECT_EQ(created->topics[0].error_code, wire_code(Code::kRequestTimedOut));
    kafka::CreatePartitionsRequest grow;
    grow.topics.emplace_back().name = "t";
    grow.topics[0].count = 3;
    grow.topics[0].assignments.reset();
    grow.timeout_ms = timeout_ms;
    auto grown = co_await client.call(grow, 3);
    FARSHORE_CO_REQUIRE(grown && grown->results.size() == 1);
    EXPECT_EQ(grown->results[0].error_code, wire_code(Code::kRequestTimedOut));
    kafka::DeleteTopicsRequest remove;
    remove.topics.emplace_back().name = "t";
    remove.timeout_ms = timeout_ms;
    auto removed = co_await client.call(remove, 6);
    FARSHORE_CO_REQUIRE(removed && removed->responses.size() == 1);
    EXPECT_EQ(removed->responses[0].error_code, wire_code(Code::kRequestTimedOut));
  }
  const auto image = cluster.services().metadata.image();
  EXPECT_FALSE(image->topic("late"));
  FARSHORE_CO_REQUIRE(image->topic("t"));
  EXPECT_EQ(image->topic("t")->partitions.size(), 1u);
}

TEST(KafkaTopics, AChangeThatGetsNoTimeIsNotMade) {
  TestCluster cluster(82);
  ASSERT_TRUE(cluster.try_start());
  cluster.run(changes_without_time(cluster));
}

Task<void> asks_for_many_partitions(TestCluster& cluster) {
  DataClient client(cluster);
  FARSHORE_CO_REQUIRE(co_await client.ready("t", 1));
  FARSHORE_CO_REQUIRE(co_await client.make("u", 1));
  auto create = new_topic("a", 6000);
  create.topics.push_back(create.topics[0]);
  create.topics[1].name = "b";
  create.validate_only = true;
  auto created = co_await client.call(create, 7);
  FARSHORE_CO_REQUIRE(created && created->topics.size() == 2);
  for (const auto& topic : created->topics) EXPECT_EQ(topic.error_code, wire_code(Code::kPolicyViolation));
  create.topics.resize(1);
  created = co_await client.call(create, 7);
  FARSHORE_CO_REQUIRE(created && created->topics.size() == 1);
  EXPECT_EQ(created->topics[0].error_code, 0) << "each by itself is not too many";

  kafka::CreatePartitionsRequest grow;
  grow.timeout_ms = 10000;
  grow.validate_only = true;
  for (const char* name : {"t", "u"}) {
    auto& topic = grow.topics.emplace_back();
    topic.name = name;
    topic.count = 6000;
    topic.assignments.reset();
  }
  auto grown = co_await client.call(grow, 3);
  FARSHORE_CO_REQUIRE(grown && grown->results.size() == 2);
  EXPECT_EQ(grown->results[0].error_code, 0);
  EXPECT_EQ(grown->results[1].error_code, wire_code(Code::kPolicyViolation));
}

TEST(KafkaTopics, ARequestMakesOnlySoManyPartitions) {
  TestCluster cluster(87);
  ASSERT_TRUE(cluster.try_start());
  cluster.run(asks_for_many_partitions(cluster));
}

Task<void> says_nothing_of_success(TestCluster& cluster) {
  DataClient client(cluster);
  FARSHORE_CO_REQUIRE(co_await client.ready("t", 1));
  auto create = new_topic("dry", 1, configs("preallocate", "FALSE"));
  create.validate_only = true;
  auto created = co_await client.call(create, 7);
  FARSHORE_CO_REQUIRE(created && created->topics.size() == 1);
  EXPECT_FALSE(created->topics[0].error_message);
  EXPECT_FALSE(created->topics[0].topic_id.is_zero());
  FARSHORE_CO_REQUIRE(created->topics[0].configs);
  for (const auto& config : *created->topics[0].configs) {
    if (config.name != "preallocate") continue;
    EXPECT_EQ(config.value, "FALSE") << "as it was set";
  }

  kafka::IncrementalAlterConfigsRequest alter;
  auto& resource = alter.resources.emplace_back();
  resource.resource_type = 2;
  resource.resource_name = "t";
  for (auto [name, value] : {std::pair("min.cleanable.dirty.ratio", "1"), std::pair("retention.ms", "+007"),
                             std::pair("preallocate", "FALSE"), std::pair("cleanup.policy", "compact, delete")}) {
    auto& config = resource.configs.emplace_back();
    config.name = name;
    config.value = value;
  }
  auto altered = co_await client.call(alter, 1);
  FARSHORE_CO_REQUIRE(altered && altered->responses.size() == 1);
  EXPECT_EQ(altered->responses[0].error_code, 0) << altered->responses[0].error_message.value_or("");
  EXPECT_FALSE(altered->responses[0].error_message);

  kafka::DescribeConfigsRequest describe;
  describe.resources.emplace_back().resource_type = 2;
  describe.resources[0].resource_name = "t";
  describe.resources[0].configuration_keys.reset();
  auto described = co_await client.call(describe, 4);
  FARSHORE_CO_REQUIRE(described && described->results.size() == 1);
  std::map<std::string, std::string> shown;
  for (const auto& config : described->results[0].configs) {
    shown[config.name] = config.value.value_or("null");
    EXPECT_FALSE(config.documentation);  // nobody asked for it
  }
  EXPECT_EQ(shown["min.cleanable.dirty.ratio"], "1.0");
  EXPECT_EQ(shown["retention.ms"], "7");
  EXPECT_EQ(shown["preallocate"], "false");
  EXPECT_EQ(shown["cleanup.policy"], "compact,delete");

  resource.configs.resize(1);
  resource.configs[0].name = "cleanup.policy";
  resource.configs[0].value = "";
  altered = co_await client.call(alter, 1);
  FARSHORE_CO_REQUIRE(altered && altered->responses.size() == 1);
  EXPECT_EQ(altered->responses[0].error_code, 0) << "an empty policy keeps everything";
  resource.configs[0].value = "compact,";
  altered = co_await client.call(alter, 1);
  FARSHORE_CO_REQUIRE(altered && altered->responses.size() == 1);
  EXPECT_EQ(altered->responses[0].error_code, wire_code(Code::kInvalidConfig));
}

TEST(KafkaTopics, ConfigsAreShownAsKafkaWritesThem) {
  TestCluster cluster(83);
  ASSERT_TRUE(cluster.try_start());
  cluster.run(says_nothing_of_success(cluster));
}

Task<void> deletes_oddly(TestCluster& cluster) {
  DataClient client(cluster);
  FARSHORE_CO_REQUIRE(co_await client.ready("t", 1));
  const TopicId id = cluster.services().metadata.image()->topic("t")->id;
  kafka::DeleteTopicsRequest remove;
  remove.timeout_ms = 10000;
  remove.topics.emplace_back().name = "t";
  remove.topics.emplace_back().topic_id = id;
  remove.topics.emplace_back().name = "";
  auto removed = co_await client.call(remove, 6);
  FARSHORE_CO_REQUIRE(removed && removed->responses.size() == 2);
  EXPECT_EQ(removed->responses[0].error_code, wire_code(Code::kInvalidRequest));
  EXPECT_EQ(removed->responses[0].name, "t");
  EXPECT_EQ(removed->responses[0].topic_id, id);
  EXPECT_EQ(removed->responses[1].error_code, wire_code(Code::kUnknownTopicOrPartition));
  EXPECT_FALSE(removed->responses[1].error_message.value_or("").empty());
}

TEST(KafkaTopics, ATopicNamedByNameAndByIdIsShownWithBoth) {
  TestCluster cluster(84);
  ASSERT_TRUE(cluster.try_start());
  cluster.run(deletes_oddly(cluster));
}

kafka::AlterConfigsRequest all_configs(std::string topic, std::vector<std::pair<std::string, std::string>> configs) {
  kafka::AlterConfigsRequest request;
  auto& resource = request.resources.emplace_back();
  resource.resource_type = 2;
  resource.resource_name = std::move(topic);
  for (auto& [name, value] : configs) {
    auto& config = resource.configs.emplace_back();
    config.name = std::move(name);
    config.value = std::move(value);
  }
  return request;
}

Task<void> replaces_configs(TestCluster& cluster) {
  DataClient client(cluster);
  FARSHORE_CO_REQUIRE(co_await client.ready("t", 1, configs("retention.ms", "5")));
  auto request = all_configs("t", {{"segment.bytes", "2000"}, {"retention.bytes", "7"}});
  request.validate_only = true;
  auto checked = co_await client.call(request, 2);
  FARSHORE_CO_REQUIRE(checked && checked->responses.size() == 1);
  EXPECT_EQ(checked->responses[0].error_code, 0);
  EXPECT_EQ(cluster.services().metadata.image()->topic("t")->configs.count("retention.ms"), 1u) << "only checked";
  request.validate_only = false;
  auto replaced = co_await client.call(request, 2);
  FARSHORE_CO_REQUIRE(replaced && replaced->responses.size() == 1);
  EXPECT_EQ(replaced->responses[0].error_code, 0);
  const std::map<std::string, std::string> wanted = {{"retention.bytes", "7"}, {"segment.bytes", "2000"}};
  EXPECT_EQ(cluster.services().metadata.image()->topic("t")->configs, wanted);

  auto request_wrong = all_configs("t", {{"retention.ms", "1"}, {"nobody", "2"}});
  auto wrong = co_await client.call(request_wrong, 0);
  FARSHORE_CO_REQUIRE(wrong && wrong->responses.size() == 1);
  EXPECT_EQ(wrong->responses[0].error_code, wire_code(Code::kInvalidConfig));
  EXPECT_EQ(cluster.services().metadata.image()->topic("t")->configs, wanted) << "nothing of it";
  auto request_twice = all_configs("t", {{"retention.ms", "1"}, {"retention.ms", "2"}});
  auto twice = co_await client.call(request_twice, 1);
  FARSHORE_CO_REQUIRE(twice && twice->responses.size() == 1);
  EXPECT_EQ(twice->responses[0].error_code, wire_code(Code::kInvalidRequest));
  auto request_absent = all_configs("absent", {});
  auto absent = co_await client.call(request_absent, 2);
  FARSHORE_CO_REQUIRE(absent && absent->responses.size() == 1);
  EXPECT_EQ(absent->responses[0].error_code, wire_code(Code::kUnknownTopicOrPartition));
}

TEST(KafkaTopics, AlterConfigsDeletesWhatItDoesNotName) {
  TestCluster cluster(85);
  ASSERT_TRUE(cluster.try_start());
  cluster.run(replaces_configs(cluster));
}

Task<void> describes_the_directory(TestCluster& cluster) {
  DataClient client(cluster);
  FARSHORE_CO_REQUIRE(co_await client.ready("t", 2));
  FARSHORE_CO_REQUIRE(co_await client.make("u", 1));
  const Batch records = batch(3);
  auto produced = co_await client.produce("t", 1, records);
  EXPECT_EQ(produced.error_code, 0);
  kafka::DescribeLogDirsRequest request;
  request.topics.reset();  // all
  auto all = co_await client.call(request, 4);
  FARSHORE_CO_REQUIRE(all && all->results.size() == 1 && all->results[0].topics.size() == 2);
  EXPECT_EQ(all->error_code, 0);
  EXPECT_FALSE(all->results[0].log_dir.empty());
  EXPECT_GT(all->results[0].usable_bytes, 0);
  auto& asked = request.topics.emplace().emplace_back();
  asked.topic = "t";
  asked.partitions = {1, 7};
  auto one = co_await client.call(request, 1);
  FARSHORE_CO_REQUIRE(one && one->results.size() == 1 && one->results[0].topics.size() == 1);
  FARSHORE_CO_REQUIRE(one->results[0].topics[0].partitions.size() == 1);
  EXPECT_EQ(one->results[0].topics[0].partitions[0].partition_index, 1);
  EXPECT_EQ(one->results[0].topics[0].partitions[0].partition_size, static_cast<int64_t>(records.size()));
}

TEST(KafkaTopics, DescribeLogDirsTellsTheSizesOfPartitions) {
  TestCluster cluster(86);
  ASSERT_TRUE(cluster.try_start());
  cluster.run(describes_the_directory(cluster));
}

}  // namespace
}  // namespace farshore::broker
