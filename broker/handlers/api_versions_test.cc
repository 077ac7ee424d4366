// ApiVersions, asked by clients over the network.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "broker/net/api_table.h"
#include "broker/testing/test_cluster.h"
#include "proto/kafka/api_table.h"
#include "proto/kafka/messages/api_versions.h"

namespace farshore::broker {
namespace {

Task<void> lists_versions(TestCluster& cluster, std::string software, bool expect_private) {
  TestClient client(cluster.client());
  FARSHORE_CO_REQUIRE(co_await client.connect(TestCluster::endpoint()));
  kafka::ApiVersionsRequest request;
  request.client_software_name = std::move(software);
  request.client_software_version = "1.0";
  auto response = co_await client.call(std::move(request), 3);
  FARSHORE_CO_REQUIRE(response);
  EXPECT_EQ(response->error_code, 0);
  EXPECT_GE(response->api_keys.size(), 8u);
  bool has_private = false;
  for (const auto& api : response->api_keys) has_private |= api.api_key >= 10000;
  EXPECT_EQ(has_private, expect_private);
}

TEST(ApiVersions, ListsPrivateApisOnlyToItsOwnClients) {
  TestCluster cluster(1);
  ASSERT_TRUE(cluster.try_start());
  cluster.run(lists_versions(cluster, "librdkafka", false));
  bool any_private = false;
  for (const auto& entry : cluster.services().apis.entries()) any_private |= entry.private_api();
  cluster.run(lists_versions(cluster, "farshore", any_private));
}

// The entries that ApiVersions must list, from the table itself.
std::vector<std::vector<int16_t>> expected(const ApiTable& apis, bool with_private) {
  std::vector<std::vector<int16_t>> rows;
  for (const ApiEntry& entry : apis.entries()) {
    if (entry.private_api() && !with_private) continue;
    const kafka::ApiInfo* info = kafka::find_api(entry.key);
    rows.push_back({entry.key, std::min(entry.versions.min, info->advertised_min_version), entry.versions.max});
  }
  return rows;
}

Task<void> lists_the_table(TestCluster& cluster, std::string software, bool with_private) {
  TestClient client(cluster.client());
  FARSHORE_CO_REQUIRE(co_await client.connect(TestCluster::endpoint()));
  kafka::ApiVersionsRequest request;
  request.client_software_name = std::move(software);
  request.client_software_version = "1.0";
  auto response = co_await client.call(std::move(request), 3);
  FARSHORE_CO_REQUIRE(response);
  EXPECT_EQ(response->error_code, 0);
  std::vector<std::vector<int16_t>> listed;
  for (const auto& api : response->api_keys) listed.push_back({api.api_key, api.min_version, api.max_version});
  EXPECT_EQ(listed, expected(cluster.services().apis, with_private));
}

TEST(ApiVersions, ListsExactlyTheApiTable) {
  TestCluster cluster(1);
  ASSERT_TRUE(cluster.try_start());
  cluster.run(lists_the_table(cluster, "librdkafka", false));
  cluster.run(lists_the_table(cluster, "farshore", true));
}

}  // namespace
}  // namespace farshore::broker
