// Produce and InitProducerId over the network: accepted and refused batches, and duplicates.
#include <gtest/gtest.h>

#include "broker/handlers/testing/data_client.h"
#include "broker/metadata/producer_ids.h"
#include "proto/kafka/messages/describe_producers.h"
#include "proto/kafka/messages/init_producer_id.h"

namespace farshore::broker {
namespace {

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

TEST(Produce, ProducedBatchIsFetchedByteForByteInEveryVersion) {
  TestCluster cluster(1);
  cluster.start();
  cluster.run(round_trip(cluster));
}

TEST(Produce, AnswerWaitsForTheDiskWithDurabilityFsync) {
  for (uint64_t seed = 20; seed < 30; ++seed) {
    TestCluster cluster(seed);
    cluster.set("durability", "fsync");
    cluster.start();
    cluster.run(round_trip(cluster));
    LogEnds ends = cluster.partition("t", 0)->ends();
    EXPECT_EQ(ends.flushed_end, ends.end) << "seed " << seed << ": the last request asked for all";
  }
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
  EXPECT_EQ(answer.error_code, wire_code(Code::kTransactionalIdAuthorizationFailed)) << "clients take it as final";

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

TEST(Produce, RequestThatKafkaRefusesIsRefusedAndWritesNothing) {
  TestCluster cluster(2);
  cluster.start();
  cluster.run(refuses_batches(cluster));
}

Task<void> names_bad_records(TestCluster& cluster) {
  DataClient client(cluster);
  FARSHORE_CO_REQUIRE(co_await client.ready("compacted", 1, configs("cleanup.policy", "compact")));
  FARSHORE_CO_REQUIRE(co_await client.make("timed", 1, configs("message.timestamp.before.max.ms", "3600000")));
  const int64_t now = cluster.env().wall_now().milliseconds_since_epoch;
  for (const Compression codec : {Compression::kNone, Compression::kLz4}) {
    BatchBuilder keyless;
    keyless.compression(codec);
    keyless.add(now, "k", "0").add(now, std::nullopt, "1").add(now, "k", "2").add(now, std::nullopt, "3");
    auto refused = co_await client.produce("compacted", 0, keyless.build(), 8);
    EXPECT_EQ(refused.error_code, wire_code(Code::kInvalidRecord));
    FARSHORE_CO_REQUIRE(refused.record_errors.size() == 2);
    EXPECT_EQ(refused.record_errors[0].batch_index, 1);
    EXPECT_EQ(refused.record_errors[1].batch_index, 3);
    EXPECT_FALSE(refused.record_errors[0].batch_index_error_message.value_or("").empty());
  }
  BatchBuilder late;
  late.add(now - 7'200'000, "k", "old").add(now, "k", "new");
  auto refused = co_await client.produce("timed", 0, late.build(), 9);
  EXPECT_EQ(refused.error_code, wire_code(Code::kInvalidTimestamp));
  FARSHORE_CO_REQUIRE(refused.record_errors.size() == 1);
  EXPECT_EQ(refused.record_errors[0].batch_index, 0);
}

TEST(Produce, RefusalNamesTheRecordsThatItIsAbout) {
  TestCluster cluster(16);
  cluster.start();
  cluster.run(names_bad_records(cluster));
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

TEST(Produce, FailureWithAcksZeroEndsTheConnection) {
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

TEST(Produce, RetriedBatchOfAnIdempotentProducerIsAppendedOnce) {
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

TEST(ProducerIds, NoIdIsGivenTwiceAlsoAfterAKill) {
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
  // A producer id of this cluster that is found in mirrored data is never given again, in the current block or far
  // above.
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

}  // namespace
}  // namespace farshore::broker
