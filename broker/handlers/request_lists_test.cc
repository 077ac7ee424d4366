// What requests with lists have in common: names that are there twice, that are illegal, or that name nothing.
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "broker/handlers/testing/data_client.h"
#include "broker/handlers/testing/group_client.h"
#include "proto/kafka/messages/create_partitions.h"
#include "proto/kafka/messages/delete_groups.h"
#include "proto/kafka/messages/delete_topics.h"
#include "proto/kafka/messages/describe_configs.h"
#include "proto/kafka/messages/describe_groups.h"
#include "proto/kafka/messages/describe_producers.h"
#include "proto/kafka/messages/describe_topic_partitions.h"
#include "proto/kafka/messages/incremental_alter_configs.h"
#include "proto/kafka/messages/metadata.h"
#include "proto/kafka/messages/offset_delete.h"

namespace farshore::broker {
namespace {

kafka::IncrementalAlterConfigsRequest::AlterConfigsResource change_of(std::string topic, std::string name,
                                                                      std::optional<std::string> value) {
  kafka::IncrementalAlterConfigsRequest::AlterConfigsResource resource;
  resource.resource_type = 2;
  resource.resource_name = std::move(topic);
  auto& config = resource.configs.emplace_back();
  config.name = std::move(name);
  config.config_operation = value ? 0 : 1;
  config.value = std::move(value);
  return resource;
}

Task<void> changes_named_twice(TestCluster& cluster) {
  DataClient client(cluster);
  FARSHORE_CO_REQUIRE(co_await client.ready("t", 1));
  const int16_t refused = wire_code(Code::kInvalidRequest);

  kafka::DeleteTopicsRequest remove;
  remove.timeout_ms = 10000;
  remove.topic_names = {"t", "t", "absent"};
  auto removed = co_await client.call(remove, 5);
  FARSHORE_CO_REQUIRE(removed && removed->responses.size() == 2);
  EXPECT_EQ(removed->responses[0].error_code, refused);
  EXPECT_EQ(removed->responses[1].error_code, wire_code(Code::kUnknownTopicOrPartition));
  kafka::DeleteTopicsRequest mixed;  // by name and by id
  mixed.timeout_ms = 10000;
  mixed.topics.emplace_back().name = "t";
  mixed.topics.emplace_back().topic_id = cluster.services().metadata.image()->topic("t")->id;
  removed = co_await client.call(mixed, 6);
  FARSHORE_CO_REQUIRE(removed && removed->responses.size() == 1);
  EXPECT_EQ(removed->responses[0].error_code, refused);

  kafka::CreatePartitionsRequest grow;
  grow.timeout_ms = 10000;
  for (int32_t count : {2, 3}) {
    auto& topic = grow.topics.emplace_back();
    topic.name = "t";
    topic.count = count;
    topic.assignments.reset();
  }
  auto grown = co_await client.call(grow, 3);
  FARSHORE_CO_REQUIRE(grown && grown->results.size() == 1);
  EXPECT_EQ(grown->results[0].error_code, refused);

  kafka::IncrementalAlterConfigsRequest alter;
  alter.resources = {change_of("t", "retention.ms", "1"), change_of("t", "segment.bytes", "2000")};
  auto altered = co_await client.call(alter, 1);
  FARSHORE_CO_REQUIRE(altered && altered->responses.size() == 1);
  EXPECT_EQ(altered->responses[0].error_code, refused);

  ProduceRequest produce;
  produce.acks = -1;
  produce.timeout_ms = 5000;
  const Batch records = batch(1);
  for (int i = 0; i < 2; ++i) {
    auto& data = produce.topic_data.emplace_back();
    data.name = "t";
    data.partition_data.emplace_back().records = kafka::Records::view(records);
  }
  auto produced = co_await client.call(produce, 9);
  FARSHORE_CO_REQUIRE(produced && produced->responses.size() == 2);
  for (const auto& each : produced->responses) EXPECT_EQ(each.partition_responses[0].error_code, refused);
}

TEST(RequestLists, ChangeThatIsNamedTwiceIsRefusedAndNotMade) {
  TestCluster cluster(50);
  cluster.start();
  cluster.run(changes_named_twice(cluster));
  const TopicImage* topic = cluster.broker().image()->topic("t");
  ASSERT_TRUE(topic);
  EXPECT_EQ(topic->partitions.size(), 1u);
  EXPECT_TRUE(topic->configs.empty());
  EXPECT_EQ(cluster.partition("t", 0)->ends().end, Offset(0));
}

Task<void> questions_named_twice(TestCluster& cluster) {
  DataClient client(cluster);
  FARSHORE_CO_REQUIRE(co_await client.ready("t", 2));
  co_await find(client, cluster.client(), "g");
  constexpr size_t kTimes = 1000;
  kafka::MetadataRequest metadata;
  metadata.topics.emplace();
  kafka::DescribeConfigsRequest configs;
  kafka::DescribeGroupsRequest groups;
  kafka::DescribeProducersRequest producers;
  producers.topics.emplace_back().name = "t";
  kafka::DeleteGroupsRequest deletes;
  auto coordinator = find_request("g");
  for (size_t i = 0; i < kTimes; ++i) {
    metadata.topics->emplace_back().name = "t";
    configs.resources.emplace_back().resource_type = 2;
    configs.resources.back().resource_name = "t";
    groups.groups.push_back("g");
    producers.topics[0].partition_indexes.push_back(0);
    deletes.groups_names.push_back("absent");
    coordinator.coordinator_keys.push_back("g");
  }
  auto described = co_await client.call(metadata, 9);
  FARSHORE_CO_REQUIRE(described);
  EXPECT_EQ(described->topics.size(), 1u);
  auto configured = co_await client.call(configs, 4);
  FARSHORE_CO_REQUIRE(configured);
  EXPECT_EQ(configured->results.size(), 1u);
  auto grouped = co_await client.call(groups, 5);
  FARSHORE_CO_REQUIRE(grouped);
  EXPECT_EQ(grouped->groups.size(), 1u);
  auto known = co_await client.call(producers, 0);
  FARSHORE_CO_REQUIRE(known && known->topics.size() == 1);
  EXPECT_EQ(known->topics[0].partitions.size(), 1u);
  auto deleted = co_await client.call(deletes, 2);
  FARSHORE_CO_REQUIRE(deleted);
  EXPECT_EQ(deleted->results.size(), 1u);
  auto found = co_await client.call(coordinator, 6);
  FARSHORE_CO_REQUIRE(found);
  EXPECT_EQ(found->coordinators.size(), 1u);
}

TEST(RequestLists, QuestionThatIsAskedTwiceIsAnsweredOnce) {
  TestCluster cluster(51);
  set_group_properties(cluster);
  cluster.start();
  cluster.run(questions_named_twice(cluster));
}

Task<void> illegal_names(TestCluster& cluster) {
  DataClient client(cluster);
  FARSHORE_CO_REQUIRE(co_await client.ready("t", 1));
  const int16_t illegal = wire_code(Code::kInvalidTopicException);
  for (const std::string& name : {std::string("a b"), std::string(250, 'x'), std::string("..")}) {
    kafka::DescribeConfigsRequest configs;
    configs.resources.emplace_back().resource_type = 2;
    configs.resources[0].resource_name = name;
    auto configured = co_await client.call(configs, 4);
    FARSHORE_CO_REQUIRE(configured);
    EXPECT_EQ(configured->results[0].error_code, illegal) << name;

    kafka::IncrementalAlterConfigsRequest alter;
    alter.resources = {change_of(name, "retention.ms", "1")};
    auto altered = co_await client.call(alter, 1);
    FARSHORE_CO_REQUIRE(altered);
    EXPECT_EQ(altered->responses[0].error_code, illegal) << name;

    kafka::DescribeTopicPartitionsRequest pages;
    pages.topics.emplace_back().name = name;
    pages.response_partition_limit = 10;
    auto described = co_await client.call(pages, 0);
    FARSHORE_CO_REQUIRE(described);
    EXPECT_EQ(described->topics[0].error_code, illegal) << name;

    kafka::DescribeProducersRequest producers;
    producers.topics.emplace_back().name = name;
    producers.topics[0].partition_indexes = {0};
    auto known = co_await client.call(producers, 0);
    FARSHORE_CO_REQUIRE(known);
    EXPECT_EQ(known->topics[0].partitions[0].error_code, illegal) << name;

    kafka::MetadataRequest metadata;
    metadata.topics.emplace().emplace_back().name = name;
    metadata.allow_auto_topic_creation = false;
    auto seen = co_await client.call(metadata, 9);
    FARSHORE_CO_REQUIRE(seen);
    EXPECT_EQ(seen->topics[0].error_code, illegal) << name;
  }
  kafka::IncrementalAlterConfigsRequest all;
  all.resources = {change_of("", "retention.ms", "1")};
  auto refused = co_await client.call(all, 1);
  FARSHORE_CO_REQUIRE(refused);
  EXPECT_EQ(refused->responses[0].error_code, wire_code(Code::kInvalidRequest));
}

TEST(RequestLists, IllegalTopicNameHasTheSameCodeInAllApis) {
  TestCluster cluster(52);
  cluster.set("auto.create.topics.enable", "false");
  cluster.start();
  cluster.run(illegal_names(cluster));
}

Task<void> deletes_configs(TestCluster& cluster) {
  DataClient client(cluster);
  FARSHORE_CO_REQUIRE(co_await client.ready("t", 1, configs("retention.ms", " 1000 ")));
  for (const char* name : {"segment.bytes", "flush.ms", "compression.gzip.level", "remote.storage.enable",
                           "unclean.leader.election.enable", "no.such.config", "retention.ms", "retention.ms"}) {
    kafka::IncrementalAlterConfigsRequest alter;
    alter.resources = {change_of("t", name, std::nullopt)};
    auto altered = co_await client.call(alter, 1);
    FARSHORE_CO_REQUIRE(altered && altered->responses.size() == 1);
    EXPECT_EQ(altered->responses[0].error_code, 0) << name;
  }
  // As MirrorMaker 2 does it: what differs from the default is set, all others are deleted, in one request.
  kafka::IncrementalAlterConfigsRequest sync;
  sync.resources = {change_of("t", "cleanup.policy", " compact")};
  for (const char* name : {"preallocate", "flush.messages", "message.downconversion.enable", "retention.bytes"}) {
    auto one = change_of("t", name, std::nullopt);
    sync.resources[0].configs.push_back(one.configs[0]);
  }
  auto synced = co_await client.call(sync, 1);
  FARSHORE_CO_REQUIRE(synced && synced->responses.size() == 1);
  EXPECT_EQ(synced->responses[0].error_code, 0) << synced->responses[0].error_message.value_or("");
}

TEST(RequestLists, ConfigThatIsNotSetCanBeDeleted) {
  TestCluster cluster(53);
  cluster.start();
  cluster.run(deletes_configs(cluster));
  const TopicImage* topic = cluster.broker().image()->topic("t");
  ASSERT_TRUE(topic);
  EXPECT_EQ(topic->configs, (std::map<std::string, std::string>{{"cleanup.policy", "compact"}}));
}

Task<void> missing_partitions(TestCluster& cluster) {
  DataClient client(cluster);
  FARSHORE_CO_REQUIRE(co_await client.ready("t", 2));
  co_await find(client, cluster.client(), "g");
  const int16_t unknown = wire_code(Code::kUnknownTopicOrPartition);
  auto commit = commit_request("g", 5);
  for (int32_t index : {-1, 2, 999}) {
    commit.topics[0].partitions.push_back(commit.topics[0].partitions[0]);
    commit.topics[0].partitions.back().partition_index = index;
  }
  auto committed = co_await client.call(commit, 9);
  FARSHORE_CO_REQUIRE(committed && committed->topics[0].partitions.size() == 4);
  EXPECT_EQ(committed->topics[0].partitions[0].error_code, 0);
  for (size_t i = 1; i < 4; ++i) EXPECT_EQ(committed->topics[0].partitions[i].error_code, unknown);
  kafka::OffsetFetchRequest fetch;  // all that there is
  fetch.groups.emplace_back().group_id = "g";
  fetch.groups[0].topics.reset();
  auto fetched = co_await client.call(fetch, 9);
  FARSHORE_CO_REQUIRE(fetched && fetched->groups.size() == 1 && fetched->groups[0].topics.size() == 1);
  EXPECT_EQ(fetched->groups[0].topics[0].partitions.size(), 1u);

  kafka::OffsetDeleteRequest remove;
  remove.group_id = "g";
  remove.topics.emplace_back().name = "t";
  for (int32_t index : {0, 1, 2}) remove.topics[0].partitions.emplace_back().partition_index = index;
  auto removed = co_await client.call(remove, 0);
  FARSHORE_CO_REQUIRE(removed && removed->error_code == 0 && removed->topics.size() == 1);
  EXPECT_EQ(removed->topics[0].partitions[1].error_code, 0);
  EXPECT_EQ(removed->topics[0].partitions[2].error_code, unknown);
}

TEST(RequestLists, OffsetOfAPartitionThatDoesNotExistIsNeitherKeptNorDeleted) {
  TestCluster cluster(54);
  set_group_properties(cluster);
  cluster.start();
  cluster.run(missing_partitions(cluster));
}

// Consumers without a group of before KIP-289 commit to the group with the empty name.
Task<void> empty_group(TestCluster& cluster) {
  DataClient client(cluster);
  FARSHORE_CO_REQUIRE(co_await client.ready("t", 2));
  co_await find(client, cluster.client(), "");
  auto commit = commit_request("", 5);
  auto committed = co_await client.call(commit, 8);
  FARSHORE_CO_REQUIRE(committed);
  EXPECT_EQ(committed->topics[0].partitions[0].error_code, 0);
  kafka::DescribeGroupsRequest describe;
  describe.groups = {""};
  auto described = co_await client.call(describe, 5);
  FARSHORE_CO_REQUIRE(described && described->groups.size() == 1);
  EXPECT_EQ(described->groups[0].error_code, 0);
  EXPECT_EQ(described->groups[0].group_state, "Empty");
  kafka::DeleteGroupsRequest remove;
  remove.groups_names = {""};
  auto removed = co_await client.call(remove, 2);
  FARSHORE_CO_REQUIRE(removed && removed->results.size() == 1);
  EXPECT_EQ(removed->results[0].error_code, 0);
  EXPECT_EQ(co_await fetch_offset(client, ""), -1);
}

TEST(RequestLists, GroupWithTheEmptyNameIsDescribedAndDeleted) {
  TestCluster cluster(55);
  set_group_properties(cluster);
  cluster.start();
  cluster.run(empty_group(cluster));
}

}  // namespace
}  // namespace farshore::broker
