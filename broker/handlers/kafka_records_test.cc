// Answers about records that tests/system/kafka_side_by_side.py compares with Apache Kafka 4.1.1: what it found, here
// without Kafka.
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "base/crc32c.h"
#include "broker/handlers/testing/data_client.h"
#include "proto/kafka/messages/delete_records.h"
#include "proto/kafka/messages/describe_producers.h"
#include "proto/kafka/messages/list_offsets.h"
#include "proto/kafka/messages/offset_for_leader_epoch.h"

namespace farshore::broker {
namespace {

Batch with_byte(size_t at, int value) {
  Batch odd = batch(1);
  odd[at] = static_cast<std::byte>(value);
  return odd;
}

Batch with_length(int32_t length) {
  Batch odd = batch(1);
  store_be<int32_t>(odd.data() + BatchField::kBatchLength, length);
  return odd;
}

Task<void> sends_damaged_headers(TestCluster& cluster) {
  DataClient client(cluster);
  FARSHORE_CO_REQUIRE(co_await client.ready("t", 1));
  const int16_t damaged = wire_code(Code::kCorruptMessage), wrong = wire_code(Code::kInvalidRecord);
  const auto right = static_cast<int32_t>(batch(1).size() - 12);
  std::vector<std::pair<Batch, int16_t>> cases;
  cases.emplace_back(with_byte(BatchField::kMagic, 3), damaged);
  cases.emplace_back(with_byte(BatchField::kMagic, -1), damaged);
  cases.emplace_back(with_length(0), damaged);
  cases.emplace_back(with_length(-1), damaged);
  cases.emplace_back(with_length(right - 1), damaged);
  cases.emplace_back(with_length(right + 1), wrong);
  for (auto& [records, code] : cases) {
    auto answer = co_await client.produce("t", 0, records);
    EXPECT_EQ(answer.error_code, code);
    EXPECT_EQ(answer.log_start_offset, -1) << "it is not said for what was not read";
  }
  Batch moved = batch(1);
  store_be<int64_t>(moved.data() + BatchField::kBaseOffset, 7);
  auto answer = co_await client.produce("t", 0, moved);
  EXPECT_EQ(answer.error_code, wrong);
  EXPECT_EQ(answer.log_start_offset, 0);
}

TEST(KafkaRecords, HeaderThatNoBatchHasCountsAsDamaged) {
  TestCluster cluster(100);
  ASSERT_TRUE(cluster.try_start());
  cluster.run(sends_damaged_headers(cluster));
}

Task<void> sends_noise_to_a_compacted_topic(TestCluster& cluster) {
  DataClient client(cluster);
  FARSHORE_CO_REQUIRE(co_await client.ready("c", 1, configs("cleanup.policy", "compact")));
  Batch noise = batch(1);
  for (size_t at = BatchField::kEnd; at < noise.size(); ++at) noise[at] = std::byte{0xff};
  store_be<uint32_t>(noise.data() + BatchField::kCrc, crc32c(ConstBytes(noise).subspan(BatchField::kAttributes)));
  auto answer = co_await client.produce("c", 0, noise);
  EXPECT_EQ(answer.error_code, wire_code(Code::kInvalidRecord)) << "its CRC is right: nothing was damaged";
}

TEST(KafkaRecords, RecordsThatCannotBeReadAreInvalidAndNotDamaged) {
  TestCluster cluster(101);
  ASSERT_TRUE(cluster.try_start());
  cluster.run(sends_noise_to_a_compacted_topic(cluster));
}

Task<void> names_partitions_twice(TestCluster& cluster) {
  DataClient client(cluster);
  FARSHORE_CO_REQUIRE(co_await client.ready("t", 1));
  auto produced = co_await client.produce("t", 0, batch(5));
  EXPECT_EQ(produced.error_code, 0);

  kafka::ListOffsetsRequest list;
  list.replica_id = -1;
  for (int i = 0; i < 2; ++i) {
    auto& topic = list.topics.emplace_back();
    topic.name = "t";
    topic.partitions.emplace_back().timestamp = -1;
  }
  list.topics.emplace_back().name = "u";  // without partitions
  auto listed = co_await client.call(list, 7);
  FARSHORE_CO_REQUIRE(listed && listed->topics.size() == 1 && listed->topics[0].partitions.size() == 1);
  EXPECT_EQ(listed->topics[0].partitions[0].error_code, wire_code(Code::kInvalidRequest));

  kafka::DeleteRecordsRequest remove;
  remove.timeout_ms = 5000;
  auto& topic = remove.topics.emplace_back();
  topic.name = "t";
  for (int64_t offset : {4, 2}) topic.partitions.emplace_back().offset = offset;
  auto removed = co_await client.call(remove, 2);
  FARSHORE_CO_REQUIRE(removed && removed->topics.size() == 1 && removed->topics[0].partitions.size() == 1);
  EXPECT_EQ(removed->topics[0].partitions[0].low_watermark, 2) << "the last one counts";
}

TEST(KafkaRecords, PartitionThatIsNamedTwiceIsAnsweredOnce) {
  TestCluster cluster(102);
  ASSERT_TRUE(cluster.try_start());
  cluster.run(names_partitions_twice(cluster));
}

Task<void> asks_with_odd_epochs(TestCluster& cluster) {
  DataClient client(cluster);
  FARSHORE_CO_REQUIRE(co_await client.ready("t", 1));
  kafka::OffsetForLeaderEpochRequest request;
  auto& topic = request.topics.emplace_back();
  topic.topic = "t";
  auto& partition = topic.partitions.emplace_back();
  partition.current_leader_epoch = -2;
  auto fenced = co_await client.call(request, 4);
  FARSHORE_CO_REQUIRE(fenced && fenced->topics[0].partitions.size() == 1);
  EXPECT_EQ(fenced->topics[0].partitions[0].error_code, wire_code(Code::kFencedLeaderEpoch)) << "only -1 is any";
  partition.current_leader_epoch = -1;
  partition.leader_epoch = -2;
  auto before = co_await client.call(request, 4);
  FARSHORE_CO_REQUIRE(before && before->topics[0].partitions.size() == 1);
  EXPECT_EQ(before->topics[0].partitions[0].leader_epoch, -2);
  EXPECT_EQ(before->topics[0].partitions[0].end_offset, 0);

  auto unknown = co_await client.fetch_one(at("absent", 0, 0));
  EXPECT_EQ(unknown.error_code, wire_code(Code::kUnknownTopicOrPartition));
  EXPECT_TRUE(unknown.aborted_transactions.has_value());
  kafka::DescribeProducersRequest producers;
  producers.topics.emplace_back().name = "absent";
  producers.topics[0].partition_indexes = {0};
  auto described = co_await client.call(producers, 0);
  FARSHORE_CO_REQUIRE(described && described->topics[0].partitions.size() == 1);
  EXPECT_FALSE(described->topics[0].partitions[0].error_message.value_or("").empty());
}

TEST(KafkaRecords, NegativeEpochsAreOlderThanAllOthers) {
  TestCluster cluster(103);
  ASSERT_TRUE(cluster.try_start());
  cluster.run(asks_with_odd_epochs(cluster));
}

}  // namespace
}  // namespace farshore::broker
