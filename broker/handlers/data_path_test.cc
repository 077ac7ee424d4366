// Produce, Fetch and the offset APIs through a real broker on the simulated host: what is on the wire.
#include <gtest/gtest.h>

#include "base/crc32c.h"
#include "broker/metadata.h"
#include "broker/producer_ids.h"
#include "broker/test_cluster_fixture.h"
#include "proto/batch/builder.h"
#include "proto/kafka/messages/delete_records.h"
#include "proto/kafka/messages/describe_producers.h"
#include "proto/kafka/messages/fetch.h"
#include "proto/kafka/messages/init_producer_id.h"
#include "proto/kafka/messages/list_offsets.h"
#include "proto/kafka/messages/offset_for_leader_epoch.h"
#include "proto/kafka/messages/produce.h"

namespace farshore::broker {
namespace {

using Code = kafka::ErrorCode;
using kafka::FetchRequest;
using kafka::ProduceRequest;
using Batch = std::vector<std::byte>;
using PartitionAnswer = kafka::ProduceResponse::PartitionProduceResponse;
using PartitionData = kafka::FetchResponse::PartitionData;

constexpr int64_t kTime = 1'700'000'000'000;

Batch batch(int records, std::string_view value = "value", Compression codec = Compression::kNone) {
  BatchBuilder builder;
  builder.compression(codec);
  for (int i = 0; i < records; ++i) builder.add(kTime + i, "key" + std::to_string(i), value);
  return builder.build();
}

Batch sequenced(int64_t id, int16_t epoch, int32_t sequence, int records) {
  BatchBuilder builder;
  builder.producer(id, epoch, sequence);
  for (int i = 0; i < records; ++i) builder.add(kTime, "k", "v");
  return builder.build();
}

// As the broker stores it: offset and epoch stamped, every other byte as it was sent.
Batch stored(Batch sent, int64_t offset, int32_t epoch) {
  store_be<int64_t>(sent.data() + BatchField::kBaseOffset, offset);
  store_be<int32_t>(sent.data() + BatchField::kPartitionLeaderEpoch, epoch);
  return sent;
}

int32_t stored_epoch(ConstBytes records) {
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

FetchRequest fetch_request(const std::vector<Asked>& asked, int32_t max_wait_ms = 0, int32_t min_bytes = 1) {
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

std::map<std::string, std::string> configs(std::string key, std::string value) {
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

Asked at(std::string topic, int32_t partition, int64_t offset, int32_t bytes_max = 1 << 20) {
  Asked asked;
  asked.topic = std::move(topic);
  asked.partition = partition;
  asked.offset = offset;
  asked.bytes_max = bytes_max;
  return asked;
}

// -- Produce, and what it refuses

Task<void> round_trip(TestCluster& cluster) {
  DataClient client(cluster);
  FARSHORE_CO_REQUIRE(co_await client.ready("t", 2));
  const int32_t epoch = cluster.partition("t", 0)->leadership_epoch().value();
  std::vector<Batch> sent;
  int64_t offset = 0;
  for (int16_t version = 3; version <= 13; ++version) {
    auto codec = static_cast<Compression>(version % 5);
    if (codec == Compression::kZstd && version < 7) codec = Compression::kLz4;
    Batch records = batch(version, "the same bytes", codec);
    auto answer = co_await client.produce("t", 0, records, version, version % 2 ? 1 : -1);
    EXPECT_EQ(answer.error_code, 0) << version << " " << answer.error_message.value_or("");
    EXPECT_EQ(answer.base_offset, offset);
    EXPECT_EQ(answer.log_append_time_ms, -1);
    if (version >= 5) {
      EXPECT_EQ(answer.log_start_offset, 0);
    }
    sent.push_back(stored(records, offset, epoch));
    offset += version;
  }
  Batch expected;
  for (const auto& one : sent) expected.insert(expected.end(), one.begin(), one.end());
  for (int16_t version = 4; version <= 12; ++version) {
    auto data = co_await client.fetch_one(at("t", 0, 0), 0, version);
    EXPECT_EQ(data.error_code, 0);
    EXPECT_EQ(data.high_watermark, offset);
    EXPECT_EQ(data.last_stable_offset, offset);
    EXPECT_EQ(data.records.to_bytes(), expected) << "Fetch " << version;
    EXPECT_FALSE(data.aborted_transactions.has_value());
  }
}

TEST(DataPath, WhatIsProducedIsFetchedByteForByteInEveryVersion) {
  TestCluster cluster(1);
  cluster.start();
  cluster.run(round_trip(cluster));
}

Task<void> refuses_batches(TestCluster& cluster) {
  DataClient client(cluster);
  FARSHORE_CO_REQUIRE(co_await client.ready("t", 1));
  FARSHORE_CO_REQUIRE(co_await client.make("compacted", 1, configs("cleanup.policy", "compact")));
  FARSHORE_CO_REQUIRE(co_await client.make("small", 1, configs("max.message.bytes", "200")));
  FARSHORE_CO_REQUIRE(co_await client.make("strict", 1, configs("message.timestamp.before.max.ms", "1000")));

  Batch corrupt = batch(3);
  corrupt.back() ^= std::byte{1};
  auto answer = co_await client.produce("t", 0, corrupt);
  EXPECT_EQ(answer.error_code, wire_code(Code::kCorruptMessage));
  EXPECT_TRUE(answer.error_message.has_value());
  EXPECT_EQ(answer.base_offset, -1);

  Batch cut = batch(3);
  cut.pop_back();
  answer = co_await client.produce("t", 0, cut);
  EXPECT_EQ(answer.error_code, wire_code(Code::kInvalidRecord));

  Batch two = batch(1);
  Batch second = batch(1);
  two.insert(two.end(), second.begin(), second.end());
  answer = co_await client.produce("t", 0, two);
  EXPECT_EQ(answer.error_code, wire_code(Code::kInvalidRecord));

  answer = co_await client.produce("t", 0, stored(batch(1), 7, 0));
  EXPECT_EQ(answer.error_code, wire_code(Code::kInvalidRecord)) << "a base offset of its own";
  answer = co_await client.produce("t", 0, Batch());
  EXPECT_EQ(answer.error_code, wire_code(Code::kInvalidRecord)) << "nothing";
  Batch old_magic = batch(1);
  old_magic[BatchField::kMagic] = std::byte{1};
  answer = co_await client.produce("t", 0, old_magic);
  EXPECT_EQ(answer.error_code, wire_code(Code::kInvalidRecord)) << "magic 1";

  Batch zstd = batch(1, "v", Compression::kZstd);
  answer = co_await client.produce("t", 0, zstd, 6);
  EXPECT_EQ(answer.error_code, wire_code(Code::kUnsupportedCompressionType)) << "KIP-110";

  answer = co_await client.produce("small", 0, batch(1, std::string(300, 'x')));
  EXPECT_EQ(answer.error_code, wire_code(Code::kMessageTooLarge));
  answer = co_await client.produce("strict", 0, batch(1));
  EXPECT_EQ(answer.error_code, wire_code(Code::kInvalidTimestamp)) << "too old";
  Batch keyless = BatchBuilder().add(kTime, std::nullopt, "v").build();
  answer = co_await client.produce("compacted", 0, keyless);
  EXPECT_EQ(answer.error_code, wire_code(Code::kInvalidRecord));
  answer = co_await client.produce("compacted", 0, batch(2, "v", Compression::kZstd));
  EXPECT_EQ(answer.error_code, 0) << "with keys";

  Batch transactional = BatchBuilder().producer(9, 0, 0).transactional().add(kTime, "k", "v").build();
  answer = co_await client.produce("t", 0, transactional);
  EXPECT_EQ(answer.error_code, wire_code(Code::kInvalidTxnState));

  answer = co_await client.produce("absent", 0, batch(1));
  EXPECT_EQ(answer.error_code, wire_code(Code::kUnknownTopicOrPartition));
  answer = co_await client.produce("t", 5, batch(1));
  EXPECT_EQ(answer.error_code, wire_code(Code::kUnknownTopicOrPartition));
  answer = co_await client.produce("t", 0, batch(1), 9, 2);
  EXPECT_EQ(answer.error_code, wire_code(Code::kInvalidRequiredAcks));

  ProduceRequest unknown;
  unknown.acks = 1;
  auto& data = unknown.topic_data.emplace_back();
  data.topic_id.bytes[3] = 9;
  data.partition_data.emplace_back().records = kafka::Records::view(cut);
  auto response = co_await client.call(std::move(unknown), 13);
  FARSHORE_CO_REQUIRE(response);
  EXPECT_EQ(response->responses[0].partition_responses[0].error_code, wire_code(Code::kUnknownTopicId));

  EXPECT_EQ(cluster.partition("t", 0)->ends().end, Offset(0)) << "nothing of it was written";
  cluster.partition("t", 0)->set_client_access(ClientAccess::kMirror);
  answer = co_await client.produce("t", 0, batch(1));
  EXPECT_EQ(answer.error_code, wire_code(Code::kInvalidRequest));
  cluster.partition("t", 0)->set_client_access(ClientAccess::kReadOnly);
  answer = co_await client.produce("t", 0, batch(1));
  EXPECT_EQ(answer.error_code, wire_code(Code::kInvalidRequest));
}

TEST(DataPath, RefusesWhatKafkaRefusesAndWritesNothingOfIt) {
  TestCluster cluster(2);
  cluster.start();
  cluster.run(refuses_batches(cluster));
}

Task<void> acks_zero(TestCluster& cluster) {
  DataClient client(cluster);
  FARSHORE_CO_REQUIRE(co_await client.ready("t", 1));
  Batch good = batch(4);
  auto request_of = [&good](std::string topic) {
    ProduceRequest request;
    request.acks = 0;
    auto& data = request.topic_data.emplace_back();
    data.name = std::move(topic);
    data.partition_data.emplace_back().records = kafka::Records::view(good);
    return request;
  };
  TestClient silent(cluster.client());
  FARSHORE_CO_REQUIRE(co_await silent.connect(TestCluster::endpoint()));
  auto request = request_of("t");
  FARSHORE_CO_REQUIRE(co_await silent.send(request, 9));
  for (int i = 0; i < 100 && cluster.partition("t", 0)->ends().end < Offset(4); ++i)
    co_await cluster.client().sleep(milliseconds(100));
  EXPECT_EQ(cluster.partition("t", 0)->ends().end, Offset(4));
  request = request_of("absent");
  FARSHORE_CO_REQUIRE(co_await silent.send(request, 9));
  auto nothing = co_await silent.receive_frame();
  EXPECT_FALSE(nothing) << "a failure ends the connection";
}

TEST(DataPath, WithoutAcknowledgementAFailureEndsTheConnection) {
  TestCluster cluster(3);
  cluster.start();
  cluster.run(acks_zero(cluster));
}

Task<void> idempotence(TestCluster& cluster) {
  DataClient client(cluster);
  FARSHORE_CO_REQUIRE(co_await client.ready("t", 1));
  kafka::InitProducerIdRequest init;
  init.transactional_id.reset();
  std::vector<int64_t> ids;
  for (int16_t version = 0; version <= 5; ++version) {
    auto response = co_await client.call(init, version);
    FARSHORE_CO_REQUIRE(response);
    EXPECT_EQ(response->error_code, 0);
    EXPECT_EQ(response->producer_epoch, 0);
    EXPECT_EQ(response->producer_id >> 40, cluster.services().metadata.image()->producer_id_salt);
    for (int64_t other : ids) EXPECT_NE(other, response->producer_id);
    ids.push_back(response->producer_id);
  }
  init.transactional_id = "tx";
  auto refused = co_await client.call(init, 4);
  FARSHORE_CO_REQUIRE(refused);
  EXPECT_EQ(refused->error_code, wire_code(Code::kUnsupportedVersion));
  EXPECT_EQ(refused->producer_id, -1);

  const int64_t id = ids[0];
  auto first = co_await client.produce("t", 0, sequenced(id, 0, 0, 3));
  EXPECT_EQ(first.error_code, 0);
  auto second = co_await client.produce("t", 0, sequenced(id, 0, 3, 2));
  EXPECT_EQ(second.base_offset, 3);
  auto retried = co_await client.produce("t", 0, sequenced(id, 0, 0, 3));
  EXPECT_EQ(retried.error_code, 0);
  EXPECT_EQ(retried.base_offset, 0) << "the offset of the first append";
  auto gap = co_await client.produce("t", 0, sequenced(id, 0, 9, 1));
  EXPECT_EQ(gap.error_code, wire_code(Code::kOutOfOrderSequenceNumber));
  auto bumped = co_await client.produce("t", 0, sequenced(id, 1, 0, 1));
  EXPECT_EQ(bumped.error_code, 0);
  EXPECT_EQ(bumped.base_offset, 5);
  auto zombie = co_await client.produce("t", 0, sequenced(id, 0, 5, 1));
  EXPECT_EQ(zombie.error_code, wire_code(Code::kInvalidProducerEpoch));
  EXPECT_EQ(cluster.partition("t", 0)->ends().end, Offset(6));

  kafka::DescribeProducersRequest describe;
  auto& topic = describe.topics.emplace_back();
  topic.name = "t";
  topic.partition_indexes = {0, 7};
  auto described = co_await client.call(std::move(describe), 0);
  FARSHORE_CO_REQUIRE(described && described->topics[0].partitions.size() == 2);
  FARSHORE_CO_REQUIRE(described->topics[0].partitions[0].active_producers.size() == 1);
  const auto& state = described->topics[0].partitions[0].active_producers[0];
  EXPECT_EQ(state.producer_id, id);
  EXPECT_EQ(state.producer_epoch, 1);
  EXPECT_EQ(state.last_sequence, 0);
  EXPECT_EQ(state.current_txn_start_offset, -1);
  EXPECT_EQ(described->topics[0].partitions[1].error_code, wire_code(Code::kUnknownTopicOrPartition));
}

TEST(DataPath, AnIdempotentProducerIsAppendedOnce) {
  TestCluster cluster(4);
  cluster.start();
  cluster.run(idempotence(cluster));
}

Task<void> takes_id(TestCluster& cluster, int64_t& id) {
  auto next = co_await cluster.services().producer_ids.next(cluster.env().in(seconds(10)));
  FARSHORE_CO_REQUIRE(next);
  id = *next;
}

Task<void> bars_id(TestCluster& cluster, int64_t id) {
  EXPECT_TRUE(co_await cluster.services().producer_ids.never_below(id, cluster.env().in(seconds(10))));
}

TEST(ProducerIds, AreNeverGivenTwiceAlsoAfterAKill) {
  TestCluster cluster(5);
  cluster.start();
  int64_t last = 0;
  for (int life = 0; life < 4; ++life) {
    for (int i = 0; i < 3; ++i) {
      int64_t id = 0;
      cluster.run_inside(takes_id(cluster, id));
      EXPECT_GT(id, last);
      last = id;
    }
    cluster.kill();
    cluster.start();
  }
  // An id of ours found in mirrored data is barred, whether it lies in the block at hand or far above.
  for (int64_t ahead : {int64_t{5}, int64_t{1} << 30}) {
    int64_t found = last + ahead;
    cluster.run_inside(bars_id(cluster, found));
    cluster.run_inside(takes_id(cluster, last));
    EXPECT_GT(last, found);
  }
  int64_t foreign = (cluster.services().producer_ids.salt() ^ 1) << 40 | 1 << 30;
  int64_t before = last;
  cluster.run_inside(bars_id(cluster, foreign));
  cluster.run_inside(takes_id(cluster, last));
  EXPECT_EQ(last, before + 1) << "ids of another salt mean nothing here";
}

// -- Fetch

Task<void> produces_after(TestCluster& cluster, Duration wait, int32_t partition) {
  DataClient client(cluster);
  FARSHORE_CO_REQUIRE(co_await client.connect(TestCluster::endpoint()));
  co_await cluster.client().sleep(wait);
  (void)co_await client.produce("t", partition, batch(1));
}

Task<void> long_poll(TestCluster& cluster) {
  DataClient client(cluster);
  FARSHORE_CO_REQUIRE(co_await client.ready("t", 3));
  auto both = fetch_request({at("t", 0, 0), at("t", 1, 0)}, 5000);
  MonoTime begun = cluster.client().now();
  auto nothing = co_await client.call(both, 12);
  FARSHORE_CO_REQUIRE(nothing);
  EXPECT_GE(cluster.client().now() - begun, seconds(5)) << "held back for max_wait";

  cluster.world().spawn(static_cast<sim::SimEnv&>(cluster.client()), produces_after(cluster, seconds(1), 1));
  begun = cluster.client().now();
  auto woken = co_await client.call(both, 12);
  FARSHORE_CO_REQUIRE(woken && woken->responses.size() == 1 && woken->responses[0].partitions.size() == 2);
  EXPECT_GE(cluster.client().now() - begun, seconds(1));
  EXPECT_LT(cluster.client().now() - begun, seconds(4)) << "woken by the second of two partitions";
  EXPECT_GT(woken->responses[0].partitions[1].records.size(), 0u);

  // min_bytes: one batch is not enough.
  auto more = fetch_request({at("t", 2, 0)}, 3000, 1000);
  cluster.world().spawn(static_cast<sim::SimEnv&>(cluster.client()), produces_after(cluster, seconds(1), 2));
  begun = cluster.client().now();
  auto late = co_await client.call(more, 12);
  FARSHORE_CO_REQUIRE(late);
  EXPECT_GE(cluster.client().now() - begun, seconds(3));
  EXPECT_GT(late->responses[0].partitions[0].records.size(), 0u) << "what is there is given at the end";

  // An error is not held back.
  auto wrong = fetch_request({at("t", 0, 0), at("absent", 1, 0)}, 5000);
  begun = cluster.client().now();
  auto failed = co_await client.call(wrong, 12);
  FARSHORE_CO_REQUIRE(failed);
  EXPECT_LT(cluster.client().now() - begun, seconds(3));
}

TEST(DataPath, ALongPollEndsWithDataOrItsTimeOrAnError) {
  TestCluster cluster(6);
  cluster.start();
  cluster.run(long_poll(cluster));
}

Task<void> limits(TestCluster& cluster) {
  DataClient client(cluster);
  FARSHORE_CO_REQUIRE(co_await client.ready("t", 3));
  size_t size = 0;
  for (int32_t partition = 0; partition < 3; ++partition) {
    for (int i = 0; i < 4; ++i) {
      Batch records = batch(2, std::string(500, 'x'));
      size = records.size();
      EXPECT_EQ((co_await client.produce("t", partition, records)).error_code, 0);
    }
  }
  const auto n = static_cast<int32_t>(size);
  auto tiny = co_await client.fetch_one(at("t", 0, 0, 1));
  EXPECT_EQ(tiny.records.size(), size) << "at least one batch, so that nobody is stuck";
  auto two = co_await client.fetch_one(at("t", 0, 0, 2 * n + 10));
  EXPECT_EQ(two.records.size(), 2 * size);
  auto middle = co_await client.fetch_one(at("t", 0, 3, 1));
  EXPECT_EQ(load_be<int64_t>(middle.records.bytes().data()), 2) << "the batch that holds the offset";

  // max_bytes over all partitions: the first may exceed it, the others may not.
  auto request = fetch_request({at("t", 0, 0, n), at("t", 1, 0, n), at("t", 2, 0, n)});
  request.max_bytes = 2 * n;
  auto response = co_await client.call(request, 12);
  FARSHORE_CO_REQUIRE(response && response->responses.size() == 1 && response->responses[0].partitions.size() == 3);
  EXPECT_EQ(response->responses[0].partitions[0].records.size(), size);
  EXPECT_EQ(response->responses[0].partitions[1].records.size(), size);
  EXPECT_EQ(response->responses[0].partitions[2].records.size(), 0u);
  request.max_bytes = 1;
  response = co_await client.call(request, 12);
  FARSHORE_CO_REQUIRE(response && response->responses.size() == 1 && response->responses[0].partitions.size() == 3);
  EXPECT_EQ(response->responses[0].partitions[0].records.size(), size);
  EXPECT_EQ(response->responses[0].partitions[1].records.size(), 0u);
}

TEST(DataPath, ByteLimitsHoldExceptForTheFirstBatch) {
  TestCluster cluster(7);
  cluster.start();
  cluster.run(limits(cluster));
}

Task<void> sessions(TestCluster& cluster) {
  DataClient client(cluster);
  FARSHORE_CO_REQUIRE(co_await client.ready("t", 3));
  Batch records = batch(1);
  EXPECT_EQ((co_await client.produce("t", 0, records)).error_code, 0);
  const TopicId id = cluster.services().metadata.image()->topic("t")->id;

  auto request = fetch_request({at("t", 0, 0), at("t", 1, 0), at("t", 2, 0)});
  for (auto& topic : request.topics) topic.topic_id = id;
  request.session_epoch = 0;
  auto first = co_await client.call(request, 13);
  FARSHORE_CO_REQUIRE(first && first->responses.size() == 1);
  EXPECT_EQ(first->responses[0].topic_id, id);
  EXPECT_EQ(first->responses[0].partitions.size(), 3u) << "grouped by topic, all of them";
  const int32_t session = first->session_id;
  EXPECT_GT(session, 0);

  FetchRequest next;
  next.session_id = session;
  next.session_epoch = 1;
  next.min_bytes = 1;
  auto& moved = next.topics.emplace_back();
  moved.topic_id = id;
  auto& position = moved.partitions.emplace_back();
  position.partition = 0;
  position.fetch_offset = 1;
  position.partition_max_bytes = 1 << 20;
  auto quiet = co_await client.call(next, 13);
  FARSHORE_CO_REQUIRE(quiet);
  EXPECT_EQ(quiet->session_id, session);
  EXPECT_TRUE(quiet->responses.empty()) << "nothing changed";

  EXPECT_EQ((co_await client.produce("t", 2, records)).error_code, 0);
  next.topics.clear();
  next.session_epoch = 2;
  auto changed = co_await client.call(next, 13);
  FARSHORE_CO_REQUIRE(changed && changed->responses.size() == 1 && changed->responses[0].partitions.size() == 1);
  EXPECT_EQ(changed->responses[0].partitions[0].partition_index, 2);
  EXPECT_GT(changed->responses[0].partitions[0].records.size(), 0u);

  auto stale = co_await client.call(next, 13);
  FARSHORE_CO_REQUIRE(stale);
  EXPECT_EQ(stale->error_code, wire_code(Code::kInvalidFetchSessionEpoch));
  EXPECT_TRUE(stale->responses.empty());
  next.session_id = session == 5 ? 6 : 5;
  auto unknown = co_await client.call(next, 13);
  FARSHORE_CO_REQUIRE(unknown);
  EXPECT_EQ(unknown->error_code, wire_code(Code::kFetchSessionIdNotFound));
  next.session_id = session;
  next.session_epoch = 3;
  auto named = co_await client.call(next, 12);
  FARSHORE_CO_REQUIRE(named);
  EXPECT_EQ(named->error_code, wire_code(Code::kFetchSessionTopicIdError));

  // Forgotten partitions are not answered any more.
  auto& forgotten = next.forgotten_topics_data.emplace_back();
  forgotten.topic_id = id;
  forgotten.partitions = {2};
  auto less = co_await client.call(next, 13);
  FARSHORE_CO_REQUIRE(less);
  EXPECT_EQ(less->error_code, 0);
  EXPECT_TRUE(less->responses.empty()) << "partition 2 had records";
}

TEST(DataPath, ASessionTellsOnlyWhatChanged) {
  TestCluster cluster(8);
  cluster.start();
  cluster.run(sessions(cluster));
}

Task<void> produces_five(TestCluster& cluster) {
  DataClient client(cluster);
  FARSHORE_CO_REQUIRE(co_await client.ready("t", 1));
  FARSHORE_CO_REQUIRE(co_await client.make("empty", 1));
  EXPECT_EQ((co_await client.produce("t", 0, batch(5))).error_code, 0);
}

Task<void> fences(TestCluster& cluster, int32_t old_epoch) {
  DataClient again(cluster);
  FARSHORE_CO_REQUIRE(co_await again.connect(TestCluster::endpoint()));
  const int32_t epoch = cluster.partition("t", 0)->leadership_epoch().value();
  EXPECT_GT(epoch, old_epoch) << "every start raises it";
  EXPECT_EQ((co_await again.produce("t", 0, batch(2))).error_code, 0);

  Asked asked = at("t", 0, 0);
  asked.current_leader_epoch = old_epoch;
  EXPECT_EQ((co_await again.fetch_one(asked)).error_code, wire_code(Code::kFencedLeaderEpoch));
  asked.current_leader_epoch = epoch + 1;
  EXPECT_EQ((co_await again.fetch_one(asked)).error_code, wire_code(Code::kUnknownLeaderEpoch));
  asked.current_leader_epoch = epoch;
  auto data = co_await again.fetch_one(asked);
  EXPECT_EQ(data.error_code, 0);
  EXPECT_EQ(stored_epoch(data.records.bytes()), old_epoch);

  // Somebody whose history went on to offset 6 in the old epoch, which ended at 5 here.
  asked = at("t", 0, 6);
  asked.last_fetched_epoch = old_epoch;
  auto diverged = co_await again.fetch_one(asked);
  EXPECT_EQ(diverged.error_code, 0);
  EXPECT_EQ(diverged.diverging_epoch.epoch, old_epoch);
  EXPECT_EQ(diverged.diverging_epoch.end_offset, 5);
  EXPECT_EQ(diverged.records.size(), 0u);
  asked.offset = 5;
  auto fine = co_await again.fetch_one(asked);
  EXPECT_EQ(fine.diverging_epoch.epoch, -1);
  EXPECT_GT(fine.records.size(), 0u);

  kafka::OffsetForLeaderEpochRequest ends;
  auto& topic = ends.topics.emplace_back();
  topic.topic = "t";
  for (int32_t wanted : {old_epoch, epoch, epoch + 5}) {
    auto& partition = topic.partitions.emplace_back();
    partition.leader_epoch = wanted;
  }
  for (int16_t version = 2; version <= 4; ++version) {
    auto response = co_await again.call(ends, version);
    FARSHORE_CO_REQUIRE(response && response->topics[0].partitions.size() == 3);
    EXPECT_EQ(response->topics[0].partitions[0].leader_epoch, old_epoch);
    EXPECT_EQ(response->topics[0].partitions[0].end_offset, 5);
    EXPECT_EQ(response->topics[0].partitions[1].end_offset, 7);
    EXPECT_EQ(response->topics[0].partitions[2].end_offset, -1);
  }

  // A partition without a record knows its epochs too: a consumer at its end must not be told that it was truncated.
  topic.topic = "empty";
  auto empty = co_await again.call(ends, 4);
  FARSHORE_CO_REQUIRE(empty && empty->topics[0].partitions.size() == 3);
  EXPECT_EQ(empty->topics[0].partitions[0].end_offset, 0);
  EXPECT_EQ(empty->topics[0].partitions[1].leader_epoch, epoch);
  EXPECT_EQ(empty->topics[0].partitions[1].end_offset, 0);

  EXPECT_EQ((co_await again.fetch_one(at("t", 0, 8))).error_code, wire_code(Code::kOffsetOutOfRange));
  EXPECT_EQ((co_await again.fetch_one(at("t", 0, -1))).error_code, wire_code(Code::kOffsetOutOfRange));
  EXPECT_EQ((co_await again.fetch_one(at("t", 0, 7))).error_code, 0) << "the end itself is in range";

  auto replica = fetch_request({at("t", 0, 0)});
  replica.replica_id = 2;
  auto refused = co_await again.call(replica, 12);
  FARSHORE_CO_REQUIRE(refused);
  EXPECT_EQ(refused->responses[0].partitions[0].error_code, wire_code(Code::kTopicAuthorizationFailed));
  EXPECT_EQ(refused->responses[0].partitions[0].records.size(), 0u);
  replica.replica_id = -1;
  replica.replica_state.replica_id = 2;
  replica.topics[0].topic_id = cluster.services().metadata.image()->topic("t")->id;
  refused = co_await again.call(replica, 17);
  FARSHORE_CO_REQUIRE(refused);
  EXPECT_EQ(refused->error_code, wire_code(Code::kClusterAuthorizationFailed));
}

TEST(DataPath, EpochsFenceAndDivergenceIsTold) {
  TestCluster cluster(9);
  cluster.start();
  cluster.run(produces_five(cluster));
  const int32_t old_epoch = cluster.partition("t", 0)->leadership_epoch().value();
  cluster.kill();
  cluster.start();
  cluster.run(fences(cluster, old_epoch));
}

Task<void> append_mirrored(TestCluster& cluster, std::vector<Batch> batches) {
  PartitionPtr partition = cluster.partition("t", 0);
  for (const auto& one : batches) {
    BatchRun run = run_of(cluster.services().arena, one);
    auto info = co_await partition->append(std::move(run), AppendOrigin::kMirror);
    EXPECT_TRUE(info) << info.error().to_string();
  }
}

Task<void> reads_isolated(TestCluster& cluster, int64_t end) {
  DataClient client(cluster);
  FARSHORE_CO_REQUIRE(co_await client.connect(TestCluster::endpoint()));
  auto committed = co_await client.fetch_one(at("t", 0, 0), 1);
  EXPECT_EQ(committed.error_code, 0);
  EXPECT_EQ(committed.high_watermark, end);
  EXPECT_EQ(committed.last_stable_offset, 5) << "the transaction that is still open begins there";
  FARSHORE_CO_REQUIRE(committed.aborted_transactions.has_value());
  FARSHORE_CO_REQUIRE(committed.aborted_transactions->size() == 1);
  EXPECT_EQ(committed.aborted_transactions->front().producer_id, 77);
  EXPECT_EQ(committed.aborted_transactions->front().first_offset, 0);
  // Nothing at or above the last stable offset.
  auto bytes = committed.records.to_bytes();
  SliceList slices;
  BatchRun run = run_of(cluster.services().arena, bytes);
  EXPECT_EQ(run.next(), Offset(5));

  auto everything = co_await client.fetch_one(at("t", 0, 0), 0);
  EXPECT_FALSE(everything.aborted_transactions.has_value());
  EXPECT_GT(everything.records.size(), committed.records.size());
  auto behind = co_await client.fetch_one(at("t", 0, 5), 1);
  EXPECT_EQ(behind.error_code, 0);
  EXPECT_EQ(behind.records.size(), 0u);

  kafka::ListOffsetsRequest latest;
  latest.replica_id = -1;
  auto& topic = latest.topics.emplace_back();
  topic.name = "t";
  topic.partitions.emplace_back().timestamp = -1;
  latest.isolation_level = 1;
  auto stable = co_await client.call(latest, 8);
  FARSHORE_CO_REQUIRE(stable);
  EXPECT_EQ(stable->topics[0].partitions[0].offset, 5);
  latest.isolation_level = 0;
  auto high = co_await client.call(latest, 8);
  FARSHORE_CO_REQUIRE(high);
  EXPECT_EQ(high->topics[0].partitions[0].offset, end);
}

Task<void> make_topic(TestCluster& cluster, int32_t partitions) {
  DataClient client(cluster);
  FARSHORE_CO_REQUIRE(co_await client.ready("t", partitions));
}

Batch marker(int64_t offset, int64_t id, ControlType type) {
  // Control record: key = version, type; value = version, coordinator epoch (KIP-98).
  std::string key(4, '\0'), value(6, '\0');
  key[3] = static_cast<char>(type);
  Batch made = BatchBuilder().base_offset(offset).producer(id, 0, -1).transactional().add(kTime, key, value).build();
  auto header = *BatchHeader::parse(made);
  header.attributes |= 0x20;
  std::array<std::byte, kBatchHeaderBytes> raw{};
  header.store(raw);
  std::copy(raw.begin(), raw.end(), made.begin());
  header.crc = crc32c(ConstBytes(made).subspan(BatchField::kAttributes));
  header.store(raw);
  std::copy(raw.begin(), raw.end(), made.begin());
  return made;
}

Batch transactional(int64_t offset, int64_t id, int32_t sequence, int records) {
  BatchBuilder builder;
  builder.base_offset(offset).leader_epoch(0).producer(id, 0, sequence).transactional();
  for (int i = 0; i < records; ++i) builder.add(kTime, "k", "v");
  return builder.build();
}

TEST(DataPath, ReadCommittedEndsAtTheLastStableOffsetAndNamesWhatWasAborted) {
  TestCluster cluster(10);
  cluster.start();
  cluster.run(make_topic(cluster, 1));
  std::vector<Batch> log = {transactional(0, 77, 0, 2), marker(2, 77, ControlType::kAbort), transactional(3, 78, 0, 1),
                            marker(4, 78, ControlType::kCommit), transactional(5, 79, 0, 3)};
  log.push_back(stored(batch(1), 8, 0));
  cluster.run_inside(append_mirrored(cluster, log));
  cluster.run(reads_isolated(cluster, 9));
}

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
  FARSHORE_CO_REQUIRE(refused && refused->topics[0].partitions.size() == 2);
  EXPECT_EQ(refused->topics[0].partitions[1].error_code, wire_code(Code::kInvalidRequest));
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

TEST(DataPath, OffsetsAreFoundByTimeAndByTheSpecialOnes) {
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

TEST(DataPath, RecordsAreDeletedUpToAnOffset) {
  TestCluster cluster(12);
  cluster.start();
  cluster.run(deletes(cluster));
}

Task<void> client_leaves(TestCluster& cluster) {
  DataClient client(cluster);
  FARSHORE_CO_REQUIRE(co_await client.ready("t", 1));
  auto request = fetch_request({at("t", 0, 0)}, 3'600'000);
  FARSHORE_CO_REQUIRE(co_await client.send(request, 12));
  co_await cluster.client().sleep(seconds(1));
  client.close();
}

TEST(DataPath, ABrokerStopsAlthoughALongPollWaits) {
  TestCluster cluster(13);
  cluster.start();
  cluster.run(client_leaves(cluster));
  // ~TestCluster stops the broker within its limit, or the run fails.
}

}  // namespace
}  // namespace farshore::broker
