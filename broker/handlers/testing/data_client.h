// For tests of the data path: batches, requests, and a client that sends them over the simulated network.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "broker/metadata/metadata.h"
#include "broker/testing/test_cluster.h"
#include "proto/batch/builder.h"
#include "proto/kafka/messages/fetch.h"
#include "proto/kafka/messages/produce.h"

namespace farshore::broker {

using Code = kafka::ErrorCode;
using kafka::FetchRequest;
using kafka::ProduceRequest;
using Batch = std::vector<std::byte>;
using PartitionAnswer = kafka::ProduceResponse::PartitionProduceResponse;
using PartitionData = kafka::FetchResponse::PartitionData;

inline constexpr int64_t kTime = 1'700'000'000'000;

inline Batch batch(int records, std::string_view value = "value", Compression codec = Compression::kNone) {
  BatchBuilder builder;
  builder.compression(codec);
  for (int i = 0; i < records; ++i) builder.add(kTime + i, "key" + std::to_string(i), value);
  return builder.build();
}

inline Batch sequenced(int64_t id, int16_t epoch, int32_t sequence, int records) {
  BatchBuilder builder;
  builder.producer(id, epoch, sequence);
  for (int i = 0; i < records; ++i) builder.add(kTime, "k", "v");
  return builder.build();
}

// As the broker stores it: offset and epoch stamped, every other byte as it was sent.
inline Batch stored(Batch sent, int64_t offset, int32_t epoch) {
  store_be<int64_t>(sent.data() + BatchField::kBaseOffset, offset);
  store_be<int32_t>(sent.data() + BatchField::kPartitionLeaderEpoch, epoch);
  return sent;
}

inline int32_t stored_epoch(ConstBytes records) {
  return load_be<int32_t>(records.data() + BatchField::kPartitionLeaderEpoch);
}

struct Asked {
  Asked() {}  // not an aggregate: it is made inside co_await expressions
  std::string topic;
  int32_t partition = 0;
  int64_t offset = 0;
  int32_t bytes_max = 1 << 20;
  int32_t current_leader_epoch = -1;
  int32_t last_fetched_epoch = -1;
};

inline FetchRequest fetch_request(const std::vector<Asked>& asked, int32_t max_wait_ms = 0, int32_t min_bytes = 1) {
  FetchRequest request;
  request.max_wait_ms = max_wait_ms;
  request.min_bytes = min_bytes;
  request.max_bytes = 50 << 20;
  for (const auto& a : asked) {
    auto& topic = request.topics.emplace_back();
    topic.topic = a.topic;
    auto& partition = topic.partitions.emplace_back();
    partition.partition = a.partition;
    partition.fetch_offset = a.offset;
    partition.partition_max_bytes = a.bytes_max;
    partition.current_leader_epoch = a.current_leader_epoch;
    partition.last_fetched_epoch = a.last_fetched_epoch;
  }
  return request;
}

inline std::map<std::string, std::string> configs(std::string key, std::string value) {
  std::map<std::string, std::string> one;
  one.emplace(std::move(key), std::move(value));
  return one;
}

// A client with the calls that these tests make. Requests are named before they are awaited (a trap of g++ 12).
struct DataClient : TestClient {
  explicit DataClient(TestCluster& cluster) : TestClient(cluster.client()), cluster(cluster) {}
  TestCluster& cluster;

  Task<bool> ready(std::string topic, int32_t partitions, std::map<std::string, std::string> configs = {}) {
    auto connected = co_await connect(TestCluster::endpoint());
    if (!connected) co_return false;
    co_return co_await make(std::move(topic), partitions, std::move(configs));
  }
  Task<bool> make(std::string topic, int32_t partitions, std::map<std::string, std::string> configs = {}) {
    auto request = new_topic(std::move(topic), partitions, std::move(configs));
    auto made = co_await call(std::move(request), 7);
    co_return made && made->topics[0].error_code == 0;
  }
  Task<PartitionAnswer> produce(std::string topic, int32_t partition, Batch records, int16_t version = 9,
                                int16_t acks = -1) {
    ProduceRequest request;
    request.acks = acks;
    request.timeout_ms = 5000;
    auto& data = request.topic_data.emplace_back();
    data.name = std::move(topic);
    if (version >= 13) data.topic_id = cluster.services().metadata.image()->topic(data.name)->id;
    auto& to = data.partition_data.emplace_back();
    to.index = partition;
    to.records = kafka::Records::view(records);
    auto response = co_await call(std::move(request), version);
    PartitionAnswer answer;
    answer.error_code = -100;
    if (response && response->responses.size() == 1 && response->responses[0].partition_responses.size() == 1)
      answer = response->responses[0].partition_responses[0];
    EXPECT_NE(answer.error_code, -100) << (response ? "no answer" : response.error().to_string());
    co_return answer;
  }
  // The answer for the only partition asked.
  Task<PartitionData> fetch_one(Asked asked, int8_t isolation = 0, int16_t version = 12) {
    auto request = fetch_request({asked});
    request.isolation_level = isolation;
    auto response = co_await call(std::move(request), version);
    PartitionData data;
    data.error_code = -100;
    if (response && response->responses.size() == 1 && response->responses[0].partitions.size() == 1)
      data = response->responses[0].partitions[0];
    EXPECT_NE(data.error_code, -100) << (response ? "no answer" : response.error().to_string());
    co_return data;
  }
};

inline Asked at(std::string topic, int32_t partition, int64_t offset, int32_t bytes_max = 1 << 20) {
  Asked asked;
  asked.topic = std::move(topic);
  asked.partition = partition;
  asked.offset = offset;
  asked.bytes_max = bytes_max;
  return asked;
}

}  // namespace farshore::broker
