// ListOffsets and DeleteRecords over the network.
#include <gtest/gtest.h>

#include "broker/handlers/testing/data_client.h"
#include "proto/kafka/messages/delete_records.h"
#include "proto/kafka/messages/list_offsets.h"

namespace farshore::broker {
namespace {

Task<void> offsets(TestCluster& cluster) {
  DataClient client(cluster);
  FARSHORE_CO_REQUIRE(co_await client.ready("t", 1));
  const int32_t epoch = cluster.partition("t", 0)->leadership_epoch().value();
  auto ask = [](int64_t timestamp) {
    kafka::ListOffsetsRequest request;
    request.replica_id = -1;
    auto& topic = request.topics.emplace_back();
    topic.name = "t";
    topic.partitions.emplace_back().timestamp = timestamp;
    return request;
  };
  struct Expected {
    int64_t timestamp, offset, answer_time;
    int16_t version_min;
  };
  for (bool empty : {true, false}) {
    if (!empty) {
      for (int i = 0; i < 3; ++i) {
        BatchBuilder builder;
        for (int j = 0; j < 10; ++j) builder.add(kTime + i * 1000 + j * 10, "k", "v");
        EXPECT_EQ((co_await client.produce("t", 0, builder.build())).error_code, 0);
      }
      EXPECT_EQ((co_await client.produce("t", 0, batch(1))).error_code, 0) << "an older one behind them";
    }
    std::vector<Expected> cases = {{-1, empty ? 0 : 31, -1, 1},
                                   {-2, 0, -1, 1},
                                   {-3, empty ? -1 : 29, empty ? -1 : kTime + 2090, 7},
                                   {-4, 0, -1, 8},
                                   {-5, -1, -1, 9},
                                   {kTime + 1035, empty ? -1 : 14, empty ? -1 : kTime + 1040, 1},
                                   {0, empty ? -1 : 0, empty ? -1 : kTime, 1},
                                   {kTime + 99999, -1, -1, 1}};
    for (const auto& expected : cases) {
      for (int16_t version = 1; version <= 10; ++version) {
        auto request = ask(expected.timestamp);
        auto response = co_await client.call(std::move(request), version);
        FARSHORE_CO_REQUIRE(response);
        const auto& answer = response->topics[0].partitions[0];
        if (version < expected.version_min) {
          EXPECT_EQ(answer.error_code, wire_code(Code::kUnsupportedVersion)) << expected.timestamp;
          continue;
        }
        EXPECT_EQ(answer.error_code, 0) << expected.timestamp;
        EXPECT_EQ(answer.offset, expected.offset) << expected.timestamp << " version " << version;
        EXPECT_EQ(answer.timestamp, expected.answer_time) << expected.timestamp;
        if (version >= 4) {
          EXPECT_EQ(answer.leader_epoch, expected.offset < 0 ? -1 : epoch) << expected.timestamp;
        }
      }
    }
  }
  auto twice = ask(-1);
  twice.topics[0].partitions.push_back(twice.topics[0].partitions[0]);
  auto refused = co_await client.call(twice, 8);
  FARSHORE_CO_REQUIRE(refused && refused->topics[0].partitions.size() == 1);
  EXPECT_EQ(refused->topics[0].partitions[0].error_code, wire_code(Code::kInvalidRequest));
  auto absent = ask(-1);
  absent.topics[0].name = "absent";
  auto unknown = co_await client.call(absent, 8);
  FARSHORE_CO_REQUIRE(unknown);
  EXPECT_EQ(unknown->topics[0].partitions[0].error_code, wire_code(Code::kUnknownTopicOrPartition));
  auto fenced = ask(-1);
  fenced.topics[0].partitions[0].current_leader_epoch = epoch + 1;
  auto epochs = co_await client.call(fenced, 8);
  FARSHORE_CO_REQUIRE(epochs);
  EXPECT_EQ(epochs->topics[0].partitions[0].error_code, wire_code(Code::kUnknownLeaderEpoch));
}

TEST(Offsets, ListOffsetsFindsOffsetsByTimestampAndBySpecialValues) {
  TestCluster cluster(11);
  cluster.start();
  cluster.run(offsets(cluster));
}

Task<void> deletes(TestCluster& cluster) {
  DataClient client(cluster);
  FARSHORE_CO_REQUIRE(co_await client.ready("t", 1));
  FARSHORE_CO_REQUIRE(co_await client.make("compacted", 1, configs("cleanup.policy", "compact")));
  for (int i = 0; i < 5; ++i) EXPECT_EQ((co_await client.produce("t", 0, batch(10))).error_code, 0);
  auto ask = [](std::string topic, int64_t offset) {
    kafka::DeleteRecordsRequest request;
    request.timeout_ms = 1000;
    auto& to = request.topics.emplace_back();
    to.name = std::move(topic);
    to.partitions.emplace_back().offset = offset;
    return request;
  };
  struct Expected {
    std::string topic;
    int64_t offset;
    Code error;
    int64_t low_watermark;
  };
  std::vector<Expected> cases = {{"t", 12, Code::kNone, 12},
                                 {"t", 5, Code::kNone, 12},
                                 {"t", 51, Code::kOffsetOutOfRange, -1},
                                 {"t", -2, Code::kOffsetOutOfRange, -1},
                                 {"absent", 0, Code::kUnknownTopicOrPartition, -1},
                                 {"compacted", 0, Code::kPolicyViolation, -1}};
  for (const auto& expected : cases) {
    auto request = ask(expected.topic, expected.offset);
    auto response = co_await client.call(std::move(request), 2);
    FARSHORE_CO_REQUIRE(response);
    const auto& answer = response->topics[0].partitions[0];
    EXPECT_EQ(answer.error_code, wire_code(expected.error)) << expected.topic << " " << expected.offset;
    EXPECT_EQ(answer.low_watermark, expected.low_watermark);
  }
  EXPECT_EQ((co_await client.fetch_one(at("t", 0, 11))).error_code, wire_code(Code::kOffsetOutOfRange));
  auto data = co_await client.fetch_one(at("t", 0, 12));
  EXPECT_EQ(data.error_code, 0);
  EXPECT_EQ(data.log_start_offset, 12);
  auto all = ask("t", -1);
  auto response = co_await client.call(std::move(all), 1);
  FARSHORE_CO_REQUIRE(response);
  EXPECT_EQ(response->topics[0].partitions[0].low_watermark, 50) << "-1: up to the high watermark";
}

TEST(Offsets, RecordsAreDeletedUpToAnOffset) {
  TestCluster cluster(12);
  cluster.start();
  cluster.run(deletes(cluster));
}

}  // namespace
}  // namespace farshore::broker
