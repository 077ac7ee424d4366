// For tests: a gateway that sends requests of the private mirror APIs one by one.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "broker/mirror/testing/link_world.h"
#include "proto/kafka/messages/mirror_append.h"
#include "proto/link/promotion_wire.h"

namespace farshore::broker {

inline std::vector<std::byte> source_batch(int64_t base, int records, int32_t epoch) {
  BatchBuilder builder;
  builder.base_offset(base).leader_epoch(epoch);
  for (int i = 0; i < records; ++i) builder.add(1'700'000'000'000, "key", "value " + std::to_string(base + i));
  return builder.build();
}

// One gateway's view of one partition of the mirror.
struct RawGateway : TestClient {
  using TopicResult = kafka::MirrorControlResponse::MirrorControlTopicResult;

  explicit RawGateway(LinkWorld& w, int64_t epoch = 1) : TestClient(w.client()), world(w), link_epoch(epoch) {}
  LinkWorld& world;
  int64_t link_epoch;
  LinkId link = LinkWorld::kLink;
  TopicId topic_id = world.mirror_id();
  int32_t partition_index = 0;
  int64_t session = 0;

  Task<bool> ready() {
    auto connected = co_await connect(LinkWorld::endpoint("west-1"));
    co_return connected.has_value();
  }
  kafka::MirrorControlRequest control_request(MirrorOperation operation) {
    kafka::MirrorControlRequest request;
    request.link_id = link.value();
    request.link_epoch = link_epoch;
    request.timeout_ms = 10000;
    request.op = wire_value(operation);
    auto& topic = request.topics.emplace_back();
    topic.topic_id = topic_id;
    auto& partition = topic.partitions.emplace_back();
    partition.partition = partition_index;
    partition.pump_session = session;
    return request;
  }
  Task<TopicResult> control(kafka::MirrorControlRequest request) {
    auto response = co_await call(std::move(request), kafka::MirrorControlRequest::kMaxVersion);
    TopicResult result;
    result.error_code = -100;
    if (response && response->topics.size() == 1) result = response->topics[0];
    co_return result;
  }
  Task<int16_t> open() {
    auto request = control_request(MirrorOperation::kOpen);
    auto result = co_await control(std::move(request));
    if (result.error_code != 0 || result.partitions.empty()) co_return result.error_code;
    session = result.partitions[0].pump_session;
    co_return result.partitions[0].error_code;
  }
  Task<kafka::MirrorAppendResponse::MirrorAppendPartitionResult> append(std::vector<std::byte> batch,
                                                                        int64_t expected_end, int32_t previous_epoch,
                                                                        int64_t source_high_watermark = 100,
                                                                        int32_t source_epoch = 3) {
    kafka::MirrorAppendRequest request;
    request.link_id = link.value();
    request.link_epoch = link_epoch;
    request.timeout_ms = 10000;
    auto& topic = request.topics.emplace_back();
    topic.topic_id = topic_id;
    auto& partition = topic.partitions.emplace_back();
    partition.partition = partition_index;
    partition.pump_session = session;
    partition.expected_end_offset = expected_end;
    partition.previous_epoch = previous_epoch;
    partition.source_high_watermark = source_high_watermark;
    partition.source_log_start = 0;
    partition.source_leader_epoch = source_epoch;
    partition.records = kafka::Records::view(batch);
    auto response = co_await call(std::move(request), 0);
    kafka::MirrorAppendResponse::MirrorAppendPartitionResult result;
    result.error_code = -100;
    if (response && response->topics.size() == 1 && response->topics[0].partitions.size() == 1)
      result = response->topics[0].partitions[0];
    co_return result;
  }
};

// Both brokers, and a mirror of the one's topic at the other.
class MirrorApi : public testing::Test {
 protected:
  MirrorApi() : world(1) {
    world.start_broker("east-1");
    world.start_broker("west-1");
    world.make_topics();
  }
  LinkWorld world;
};

#define EXPECT_CODE(result, code) EXPECT_EQ((result).error_code, wire_code(code)) << (result).error_message.value_or("")

inline Task<int16_t> produce_to(LinkWorld& world, std::string host) {
  TestClient client(world.client());
  auto connected = co_await client.connect(LinkWorld::endpoint(host));
  if (!connected) co_return -100;
  auto batch = source_batch(0, 1, -1);
  kafka::ProduceRequest request;
  request.acks = -1;
  request.timeout_ms = 5000;
  auto& data = request.topic_data.emplace_back();
  data.name = "orders";
  data.partition_data.emplace_back().records = kafka::Records::view(batch);
  auto response = co_await client.call(std::move(request), 9);
  if (!response || response->responses.empty()) co_return -100;
  co_return response->responses[0].partition_responses[0].error_code;
}

}  // namespace farshore::broker
