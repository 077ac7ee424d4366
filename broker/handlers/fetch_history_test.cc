// Fetch against the history of a log: epochs, divergence, transactions.
#include <gtest/gtest.h>

#include "base/crc32c.h"
#include "broker/handlers/testing/data_client.h"
#include "proto/kafka/messages/list_offsets.h"
#include "proto/kafka/messages/offset_for_leader_epoch.h"

namespace farshore::broker {
namespace {

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

  // A partition without a record knows its epochs too: a consumer at its end must get no truncation error.
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

TEST(FetchHistory, OldEpochIsFencedAndDivergenceIsReported) {
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
    BatchRun run = run_of(cluster.arena(), one);
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
  BatchRun run = run_of(cluster.arena(), bytes);
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

TEST(FetchHistory, ReadCommittedFetchEndsAtTheLastStableOffsetAndNamesAbortedTransactions) {
  TestCluster cluster(10);
  cluster.start();
  cluster.run(make_topic(cluster, 1));
  std::vector<Batch> log = {transactional(0, 77, 0, 2), marker(2, 77, ControlType::kAbort), transactional(3, 78, 0, 1),
                            marker(4, 78, ControlType::kCommit), transactional(5, 79, 0, 3)};
  log.push_back(stored(batch(1), 8, 0));
  cluster.run_inside(append_mirrored(cluster, log));
  cluster.run(reads_isolated(cluster, 9));
}

}  // namespace
}  // namespace farshore::broker
