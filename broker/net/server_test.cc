// The server and its connections, with clients that keep to the protocol and clients that do not.
#include "broker/net/server.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "broker/testing/test_cluster.h"
#include "proto/kafka/messages/api_versions.h"
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

Task<void> asks_unknown_versions(TestCluster& cluster) {
  TestClient client(cluster.client());
  FARSHORE_CO_REQUIRE(co_await client.connect(TestCluster::endpoint()));
  kafka::Writer writer;
  client.write_header(writer, 18, 99, true);
  auto message = writer.finish();
  FARSHORE_CO_REQUIRE(co_await client.send_frame(message->to_bytes()));
  auto response = co_await client.receive<kafka::ApiVersionsRequest>(0);
  FARSHORE_CO_REQUIRE(response);
  EXPECT_EQ(response->error_code, 35);
  FARSHORE_CO_REQUIRE(response->api_keys.size() == 1);
  EXPECT_EQ(response->api_keys[0].max_version, 4);
  // The connection goes on, and the next guess is right.
  kafka::ApiVersionsRequest request;
  EXPECT_TRUE(co_await client.call(std::move(request), 2));

  kafka::Writer other;
  client.write_header(other, 3, 99, true);  // Metadata: no answer is possible
  message = other.finish();
  FARSHORE_CO_REQUIRE(co_await client.send_frame(message->to_bytes()));
  auto nothing = co_await client.receive_frame();
  EXPECT_FALSE(nothing);
}

TEST(Server, AnswersAnUnknownVersionOfApiVersionsAndClosesOnOthers) {
  TestCluster cluster(2);
  ASSERT_TRUE(cluster.try_start());
  cluster.run(asks_unknown_versions(cluster));
  EXPECT_EQ(cluster.ended("unsupported_version"), 1u);
}

Task<void> sends_garbage(TestCluster& cluster, kafka::Bytes bytes) {
  TestClient client(cluster.client());
  FARSHORE_CO_REQUIRE(co_await client.connect(TestCluster::endpoint()));
  FARSHORE_CO_REQUIRE(co_await client.send_bytes(std::move(bytes)));
  auto nothing = co_await client.receive_frame();
  EXPECT_FALSE(nothing);
}

kafka::Bytes bytes_of(std::initializer_list<int> values) {
  kafka::Bytes bytes;
  for (int value : values) bytes.push_back(static_cast<std::byte>(value));
  return bytes;
}

TEST(Server, EndsConnectionsThatBreakTheProtocolAndCountsThem) {
  TestCluster cluster(3);
  ASSERT_TRUE(cluster.try_start());
  cluster.run(sends_garbage(cluster, bytes_of({0xff, 0xff, 0xff, 0xff})));                           // negative length
  cluster.run(sends_garbage(cluster, bytes_of({0x7f, 0xff, 0xff, 0xff})));                           // 2 GiB
  cluster.run(sends_garbage(cluster, bytes_of({0, 0, 0, 2, 0, 3})));                                 // half a header
  cluster.run(sends_garbage(cluster, bytes_of({0, 0, 0, 10, 0x12, 0x34, 0, 0, 0, 0, 0, 1, 0, 0})));  // unknown key
  // Metadata version 1 with an array of 2^31-1 topics.
  cluster.run(
      sends_garbage(cluster, bytes_of({0, 0, 0, 14, 0, 3, 0, 1, 0, 0, 0, 1, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff})));
  EXPECT_EQ(cluster.ended("malformed"), 3u);
  EXPECT_EQ(cluster.ended("oversized"), 1u);
  EXPECT_EQ(cluster.ended("unknown_api"), 1u);
}

Task<void> pipelines(TestCluster& cluster, int count) {
  TestClient client(cluster.client());
  FARSHORE_CO_REQUIRE(co_await client.connect(TestCluster::endpoint()));
  for (int i = 0; i < count; ++i) {
    auto request = metadata_request("t", i == 0);
    FARSHORE_CO_REQUIRE(co_await client.send(request, 9));
  }
  for (int i = 0; i < count; ++i) {
    auto response = co_await client.receive<kafka::MetadataRequest>(9);  // checks the order
    FARSHORE_CO_REQUIRE(response);
    EXPECT_EQ(response->topics[0].error_code, 0);
  }
}

TEST(Server, AnswersPipelinedRequestsInOrder) {
  for (uint64_t seed = 30; seed < 35; ++seed) {
    TestCluster cluster(seed);
    ASSERT_TRUE(cluster.try_start());
    cluster.run(pipelines(cluster, 1000));  // more than one chunk of requests
  }
}

Task<void> is_refused_or_not(TestCluster& cluster, std::vector<std::unique_ptr<TestClient>>& clients, int& answered) {
  auto client = std::make_unique<TestClient>(cluster.client());
  FARSHORE_CO_REQUIRE(co_await client->connect(TestCluster::endpoint()));
  kafka::ApiVersionsRequest request;
  auto response = co_await client->call(std::move(request), 0);
  if (response) ++answered;
  clients.push_back(std::move(client));
}

TEST(Server, RefusesConnectionsBeyondTheLimitOfAnAddress) {
  TestCluster cluster(40);
  cluster.set("max.connections.per.ip", "3");
  ASSERT_TRUE(cluster.try_start());
  std::vector<std::unique_ptr<TestClient>> clients;
  int answered = 0;
  for (int i = 0; i < 5; ++i) cluster.run(is_refused_or_not(cluster, clients, answered));
  EXPECT_EQ(answered, 3);
  EXPECT_EQ(cluster.ended("refused"), 2u);
  clients.clear();  // they go: there is room again
  cluster.world().run_for(seconds(5));
  cluster.run(is_refused_or_not(cluster, clients, answered));
  EXPECT_EQ(answered, 4);
}

TEST(Server, EndsIdleConnections) {
  TestCluster cluster(41);
  cluster.set("connections.max.idle.ms", "1000");
  ASSERT_TRUE(cluster.try_start());
  std::vector<std::unique_ptr<TestClient>> clients;
  int answered = 0;
  cluster.run(is_refused_or_not(cluster, clients, answered));
  cluster.world().run_for(seconds(5));
  EXPECT_EQ(cluster.ended("idle"), 1u);
}

}  // namespace
}  // namespace farshore::broker
