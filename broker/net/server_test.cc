// The server and its connections, with clients that keep to the protocol and clients that do not.
#include "broker/net/server.h"
#include "base/gate.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/gate.h"
#include "base/sim/net.h"
#include "broker/testing/test_cluster.h"
#include "proto/kafka/messages/api_versions.h"
#include "proto/kafka/messages/fetch.h"
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

Task<void> writes_beside(TestCluster& cluster, std::vector<kafka::Bytes> others, size_t name_bytes, bool& answered) {
  std::vector<std::unique_ptr<TestClient>> clients;
  for (auto& bytes : others) {
    auto& client = clients.emplace_back(std::make_unique<TestClient>(cluster.client()));
    FARSHORE_CO_REQUIRE(co_await client->connect(TestCluster::endpoint()));
    FARSHORE_CO_REQUIRE(co_await client->send_bytes(std::move(bytes)));
  }
  co_await cluster.client().sleep(seconds(1));
  TestClient client(cluster.client());
  FARSHORE_CO_REQUIRE(co_await client.connect(TestCluster::endpoint()));
  kafka::MetadataRequest request;
  request.topics.emplace();
  for (size_t bytes = 0; bytes < name_bytes; bytes += 100) request.topics->emplace_back().name = std::string(100, 'x');
  auto response = co_await client.call(std::move(request), 9);
  answered = response.has_value();
}

// The length of a frame, and this much of it.
kafka::Bytes announced(int32_t length, size_t sent) {
  kafka::Bytes bytes(sizeof length + sent);
  store_be<int32_t>(bytes.data(), length);
  return bytes;
}

TEST(Server, AnnouncedFramesTakeNoMemoryFromOthers) {
  TestCluster cluster(42);
  cluster.set("queued.max.request.bytes", "4000000");
  cluster.set("auto.create.topics.enable", "false");
  ASSERT_TRUE(cluster.try_start());
  bool answered = false;
  cluster.run(writes_beside(cluster, {announced(100'000'000, 8), announced(100'000'000, 8), announced(90'000'000, 8)},
                            40'000, answered));
  EXPECT_TRUE(answered);
}

TEST(Server, ClientThatStopsInsideAFrameGivesItsMemoryToThoseWhoWait) {
  TestCluster cluster(43);
  cluster.set("queued.max.request.bytes", "1048576");
  cluster.set("auto.create.topics.enable", "false");
  ASSERT_TRUE(cluster.try_start());
  bool answered = false;
  // Both hold all that there is, and one of them what goes beyond it.
  cluster.run(
      writes_beside(cluster, {announced(100'000'000, 900'000), announced(100'000'000, 900'000)}, 500'000, answered));
  EXPECT_TRUE(answered);
  EXPECT_GE(cluster.ended("oversized"), 1u);
}

// A fetch that waits for ever, and behind it a large request.
Task<void> waits_with_a_large_request(TestClient& client) {
  FARSHORE_CO_REQUIRE(co_await client.connect(TestCluster::endpoint()));
  kafka::FetchRequest fetch;
  fetch.max_wait_ms = INT32_MAX;
  fetch.min_bytes = 1;
  fetch.max_bytes = 1 << 20;
  auto& topic = fetch.topics.emplace_back();
  topic.topic = "t";
  topic.partitions.emplace_back().partition_max_bytes = 1 << 20;
  FARSHORE_CO_REQUIRE(co_await client.send(fetch, 11));
  (void)co_await client.send_bytes(announced(900'000, 900'000));  // not all of it is taken
}

Task<void> two_wait_and_one_writes(TestCluster& cluster, bool& answered) {
  TestClient first(cluster.client(), seconds(5)), second(cluster.client(), seconds(5)), maker(cluster.client());
  FARSHORE_CO_REQUIRE(co_await maker.connect(TestCluster::endpoint()));
  auto request = metadata_request("t", true);
  auto made = co_await maker.call(std::move(request), 9);
  FARSHORE_CO_REQUIRE(made);
  co_await waits_with_a_large_request(first);
  co_await waits_with_a_large_request(second);
  std::vector<kafka::Bytes> nothing;
  co_await writes_beside(cluster, std::move(nothing), 500'000, answered);
}

TEST(Server, ALargeRequestBehindOneThatWaitsHoldsNoMemory) {
  TestCluster cluster(48);
  cluster.set("queued.max.request.bytes", "1048576");
  ASSERT_TRUE(cluster.try_start());
  bool answered = false;
  cluster.run(two_wait_and_one_writes(cluster, answered));
  EXPECT_TRUE(answered);
}

// A fetch whose frame has some 900 KB, because of a tagged field that nobody knows, and which waits for an hour.
Task<void> waits_with_a_large_fetch(TestClient& client) {
  FARSHORE_CO_REQUIRE(co_await client.connect(TestCluster::endpoint()));
  kafka::FetchRequest fetch;
  fetch.max_wait_ms = 3'600'000;
  fetch.min_bytes = 1;
  fetch.max_bytes = 1 << 20;
  auto& topic = fetch.topics.emplace_back();
  topic.topic = "t";
  topic.partitions.emplace_back().partition_max_bytes = 1 << 20;
  kafka::Writer writer;
  client.write_header(writer, kafka::FetchRequest::kApiKey, 12, true);
  fetch.encode(writer, 12);
  auto message = writer.finish();
  FARSHORE_CO_REQUIRE(message);
  kafka::Bytes bytes = message->to_bytes();
  EXPECT_EQ(bytes.back(), std::byte{0}) << "no tagged fields";
  bytes.pop_back();
  // One field, number 100, of 900,000 bytes (as a varint).
  for (int byte : {1, 100, 0xa0, 0xf7, 0x36}) bytes.push_back(static_cast<std::byte>(byte));
  bytes.resize(bytes.size() + 900'000);
  FARSHORE_CO_REQUIRE(co_await client.send_frame(std::move(bytes)));
}

Task<void> large_fetches_wait_and_one_writes(TestCluster& cluster, bool& answered) {
  TestClient first(cluster.client()), second(cluster.client()), maker(cluster.client());
  FARSHORE_CO_REQUIRE(co_await maker.connect(TestCluster::endpoint()));
  auto request = metadata_request("t", true);
  auto made = co_await maker.call(std::move(request), 9);
  FARSHORE_CO_REQUIRE(made);
  co_await waits_with_a_large_fetch(first);
  co_await waits_with_a_large_fetch(second);
  std::vector<kafka::Bytes> nothing;
  co_await writes_beside(cluster, std::move(nothing), 500'000, answered);
}

TEST(Server, AFetchThatWaitsHoldsNoMemoryOfItsRequest) {
  TestCluster cluster(49);
  cluster.set("queued.max.request.bytes", "1048576");
  ASSERT_TRUE(cluster.try_start());
  bool answered = false;
  cluster.run(large_fetches_wait_and_one_writes(cluster, answered));
  EXPECT_TRUE(answered);
  EXPECT_EQ(cluster.ended("malformed"), 0u);
}

// A fetch that waits for ever, another behind it; then the client goes.
Task<void> waits_and_goes(TestCluster& cluster, double& connections) {
  Gauge& gauge = cluster.env().metrics().gauge("farshore_broker_connections", "");
  {
    TestClient client(cluster.client());
    FARSHORE_CO_REQUIRE(co_await client.connect(TestCluster::endpoint()));
    auto request = metadata_request("t", true);
    auto made = co_await client.call(std::move(request), 9);
    FARSHORE_CO_REQUIRE(made);
    kafka::FetchRequest fetch;
    fetch.max_wait_ms = INT32_MAX;
    fetch.min_bytes = 1;
    fetch.max_bytes = 1 << 20;
    auto& topic = fetch.topics.emplace_back();
    topic.topic = "t";
    topic.partitions.emplace_back().partition_max_bytes = 1 << 20;
    FARSHORE_CO_REQUIRE(co_await client.send(fetch, 11));
    FARSHORE_CO_REQUIRE(co_await client.send(fetch, 11));
    co_await cluster.client().sleep(seconds(1));
    EXPECT_EQ(gauge.value(), 1);
  }
  co_await cluster.client().sleep(minutes(11));  // both requests have waited
  connections = gauge.value();
}

TEST(Server, ClientThatGoesBehindTwoRequestsIsNotKeptForAsLongAsItAskedToWait) {
  TestCluster cluster(50);
  ASSERT_TRUE(cluster.try_start());
  double connections = -1;
  ASSERT_TRUE(cluster.world().run(cluster.client_env(), waits_and_goes(cluster, connections), minutes(15)));
  EXPECT_EQ(connections, 0);
}

Task<void> asks_for_many(TestCluster& cluster, size_t topics, bool& answered) {
  TestClient client(cluster.client());
  FARSHORE_CO_REQUIRE(co_await client.connect(TestCluster::endpoint()));
  kafka::MetadataRequest request;
  request.topics.emplace();
  for (size_t i = 0; i < topics; ++i) request.topics->emplace_back().name = "abcdefgh";
  auto response = co_await client.call(std::move(request), 9);
  answered = response.has_value();
}

TEST(Server, RequestOfMoreElementsThanAllowedIsNotDecoded) {
  TestCluster cluster(44);
  cluster.set("auto.create.topics.enable", "false");
  ASSERT_TRUE(cluster.try_start());
  bool answered = false;
  cluster.run(asks_for_many(cluster, 300'001, answered));
  EXPECT_FALSE(answered);
  EXPECT_EQ(cluster.ended("oversized"), 1u);
  cluster.run(asks_for_many(cluster, 100'000, answered));
  EXPECT_TRUE(answered);
}

// The answer has about 2 MB for 30,000 topics.
Task<void> asks_for_a_large_answer(TestCluster& cluster, TestClient& client, bool reads, bool& answered,
                                   int topics = 30'000) {
  answered = false;
  FARSHORE_CO_REQUIRE(co_await client.connect(TestCluster::endpoint()));
  kafka::MetadataRequest request;
  request.topics.emplace();
  for (int i = 0; i < topics; ++i)
    request.topics->emplace_back().name = "no-such-topic-with-a-long-name-" + std::to_string(i);
  FARSHORE_CO_REQUIRE(co_await client.send(request, 9));
  co_await cluster.client().sleep(seconds(1));
  if (!reads) co_return;
  auto response = co_await client.receive<kafka::MetadataRequest>(9);
  answered = response.has_value();
}

TEST(Server, LargeResponseThatNobodyReadsGivesWayToOthers) {
  TestCluster cluster(45);
  cluster.set("queued.max.response.bytes", "1048576");
  cluster.set("auto.create.topics.enable", "false");
  cluster.world().net().set_window(64 << 10);
  ASSERT_TRUE(cluster.try_start());
  bool answered = false;
  TestClient silent(cluster.client()), second(cluster.client());
  cluster.run(asks_for_a_large_answer(cluster, silent, false, answered));
  cluster.world().run_for(seconds(2));
  cluster.run(asks_for_a_large_answer(cluster, second, true, answered));
  EXPECT_TRUE(answered);
  EXPECT_EQ(cluster.ended("slow_reader"), 1u);
  EXPECT_EQ(cluster.ended("overloaded"), 0u);
}

// Faster than what counts as standing still.
Task<void> reads_steadily(TestCluster& cluster, TestClient& client, bool& stop) {
  while (!stop) {
    auto bytes = co_await client.receive_bytes(20'000);
    if (!bytes) co_return;
    co_await cluster.client().sleep(milliseconds(100));
  }
}

TEST(Server, ClientsThatReadSlowlyAllTheTimeGiveWayToOthersAfterAWhile) {
  TestCluster cluster(48);
  cluster.set("queued.max.response.bytes", "1048576");
  cluster.set("auto.create.topics.enable", "false");
  cluster.world().net().set_window(64 << 10);
  ASSERT_TRUE(cluster.try_start());
  bool answered = false, stop = false;
  TestClient slow(cluster.client()), early(cluster.client()), late(cluster.client());
  cluster.run(asks_for_a_large_answer(cluster, slow, false, answered, 60'000));
  Gate reading(cluster.client());
  spawn(reading, "slow reader", reads_steadily(cluster, slow, stop));
  cluster.world().run_for(seconds(4));
  cluster.run(asks_for_a_large_answer(cluster, early, true, answered));
  EXPECT_FALSE(answered) << "the other one has just begun, and is reading";
  EXPECT_EQ(cluster.ended("overloaded"), 1u);
  cluster.world().run_for(seconds(6));
  cluster.run(asks_for_a_large_answer(cluster, late, true, answered));
  EXPECT_TRUE(answered);
  EXPECT_EQ(cluster.ended("slow_reader"), 1u);
  stop = true;
  cluster.run(reading.close());
}

TEST(Server, LargeResponsesAreLimitedAndHoldUpNoSmallOnes) {
  TestCluster cluster(46);
  cluster.set("queued.max.response.bytes", "1048576");
  cluster.set("auto.create.topics.enable", "false");
  cluster.world().net().set_window(64 << 10);
  ASSERT_TRUE(cluster.try_start());
  bool answered = false;
  TestClient silent(cluster.client()), second(cluster.client()), third(cluster.client());
  cluster.run(asks_for_a_large_answer(cluster, silent, false, answered));
  cluster.run(asks_for_a_large_answer(cluster, second, true, answered));
  EXPECT_FALSE(answered);
  EXPECT_EQ(cluster.ended("overloaded"), 1u);
  std::vector<std::unique_ptr<TestClient>> clients;
  int small = 0;
  cluster.run(is_refused_or_not(cluster, clients, small));
  EXPECT_EQ(small, 1);
  silent.close();
  cluster.world().run_for(seconds(1));
  cluster.run(asks_for_a_large_answer(cluster, third, true, answered));
  EXPECT_TRUE(answered);
}

Task<void> reads_slowly(TestCluster& cluster, TestClient& client) {
  for (int i = 0; i < 3000; ++i) {
    auto bytes = co_await client.receive_bytes(500);
    if (!bytes) co_return;
    co_await cluster.client().sleep(milliseconds(500));
  }
}

TEST(Server, AStopCutsOffAClientThatReadsItsAnswerSlowly) {
  TestCluster cluster(47);
  cluster.set("auto.create.topics.enable", "false");
  cluster.world().net().set_window(64 << 10);
  ASSERT_TRUE(cluster.try_start());
  bool answered = false;
  TestClient slow(cluster.client());
  cluster.run(asks_for_a_large_answer(cluster, slow, false, answered));
  Gate reading(cluster.client());
  spawn(reading, "slow reader", reads_slowly(cluster, slow));
  const MonoTime begin = cluster.env().now();
  cluster.run_inside(cluster.broker().stop());
  EXPECT_LE(cluster.env().now() - begin, 2 * Server::kStopMax);
  slow.close();
  cluster.run(reading.close());
}

TEST(Server, ConnectionsBeyondTheirPartOfTheDescriptorsAreRefusedAtOnce) {
  TestCluster cluster(45);
  cluster.set("max.open.files", "256");  // 64 of them are for connections
  ASSERT_TRUE(cluster.try_start());
  std::vector<std::unique_ptr<TestClient>> clients;
  int answered = 0;
  for (int i = 0; i < 66; ++i) cluster.run(is_refused_or_not(cluster, clients, answered));
  EXPECT_EQ(answered, 64);
  EXPECT_EQ(cluster.ended("refused"), 2u);
  clients.clear();
  cluster.world().run_for(seconds(5));
  cluster.run(is_refused_or_not(cluster, clients, answered));
  EXPECT_EQ(answered, 65);
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
