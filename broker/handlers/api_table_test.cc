#include "broker/handlers/api_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

#include "proto/kafka/api_table.h"

namespace farshore::broker {
namespace {

TEST(BrokerApis, TableIsSortedUniqueAndNamedAsInTheSchemas) {
  const ApiTable table(broker_apis());
  std::set<int16_t> keys;
  for (const ApiEntry& entry : table.entries()) {
    EXPECT_TRUE(keys.empty() || *keys.rbegin() < entry.key) << entry.name;
    keys.insert(entry.key);
    const kafka::ApiInfo* info = kafka::find_api(entry.key);
    ASSERT_TRUE(info) << entry.name;
    EXPECT_EQ(std::string(info->name), entry.name);
  }
}

// Each API has a file of its own here; this is the list of them.
TEST(BrokerApis, TableHasEveryHandler) {
  const std::set<std::string> expected = {"AlterConfigs",
                                          "ApiVersions",
                                          "CreatePartitions",
                                          "CreateTopics",
                                          "DeleteGroups",
                                          "DeleteRecords",
                                          "DeleteTopics",
                                          "DescribeCluster",
                                          "DescribeConfigs",
                                          "DescribeGroups",
                                          "DescribeLogDirs",
                                          "DescribeProducers",
                                          "DescribeTopicPartitions",
                                          "Fetch",
                                          "FindCoordinator",
                                          "Heartbeat",
                                          "IncrementalAlterConfigs",
                                          "InitProducerId",
                                          "JoinGroup",
                                          "LeaveGroup",
                                          "LinkState",
                                          "ListGroups",
                                          "ListOffsets",
                                          "Metadata",
                                          "MirrorAppend",
                                          "MirrorControl",
                                          "OffsetCommit",
                                          "OffsetDelete",
                                          "OffsetFetch",
                                          "OffsetForLeaderEpoch",
                                          "Produce",
                                          "SyncGroup"};
  std::set<std::string> served;
  for (const ApiEntry& entry : broker_apis()) served.insert(entry.name);
  EXPECT_EQ(served, expected);
}

TEST(BrokerApis, EveryEntryNamesItsPermissions) {
  const ApiTable table(broker_apis());
  for (const ApiEntry& entry : table.entries()) {
    const auto& permissions = entry.authorization.permissions();
    EXPECT_EQ(permissions.empty(), std::string(entry.name) == "ApiVersions") << entry.name;
    if (!entry.private_api()) continue;
    EXPECT_EQ(permissions, std::vector<Permission>{kClusterClusterAction}) << entry.name;
  }
  auto asks = [&](int16_t key, Permission permission) {
    const auto& permissions = table.find(key)->authorization.permissions();
    return std::find(permissions.begin(), permissions.end(), permission) != permissions.end();
  };
  EXPECT_TRUE(asks(0, kTopicWrite));      // Produce
  EXPECT_TRUE(asks(1, kTopicRead));       // Fetch
  EXPECT_TRUE(asks(8, kGroupRead));       // OffsetCommit
  EXPECT_TRUE(asks(20, kTopicDelete));    // DeleteTopics
  EXPECT_TRUE(asks(42, kGroupDelete));    // DeleteGroups
  EXPECT_FALSE(asks(1, kTopicDescribe));  // READ implies it
}

}  // namespace
}  // namespace farshore::broker
