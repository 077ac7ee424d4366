// Fences of many partitions with one transactional id for each shard.
#include "replicator/relay/shards.h"

#include <optional>
#include <set>

#include "replicator/relay/testing/relay_world.h"

namespace farshore::replicator {
namespace {

constexpr int64_t kNowMs = 1'780'000'000'000;
constexpr int16_t kListOffsets = 2, kInitProducerId = 22, kAddPartitions = 24, kEndTxn = 26,
                  kDescribeProducers = 61;  // API keys

std::set<std::string> shards_of(int32_t partitions) {
  std::set<std::string> ids;
  for (int32_t p = 0; p < partitions; ++p) ids.insert(relay_shard_id(RelayGateway::key_of(p)));
  return ids;
}

TEST(RelayShards, TakeoverOfManyPartitionsCostsRequestsPerShardAndNotPerPartition) {
  constexpr int32_t kPartitions = 200;
  RelayWorld world(1, kPartitions);
  for (auto& [index, source] : world.source) source.append(2, 3, kNowMs);
  world.start_gateway();
  ASSERT_TRUE(world.until_caught_up());
  world.kill_gateways();
  world.kafka.requests.clear();
  for (auto& [index, source] : world.source) source.append(2, 3, kNowMs);
  world.start_gateway();
  ASSERT_TRUE(world.until_caught_up());
  EXPECT_EQ(world.wrong(), "");
  const int shards = static_cast<int>(shards_of(kPartitions).size());
  EXPECT_EQ(shards, kRelayShards);
  EXPECT_EQ(world.kafka.transactional_ids.size(), static_cast<size_t>(shards));
  // The partitions come some milliseconds apart, so some fences are made for a part of them, and some are asked for
  // while the markers of the last one are being written.
  for (int16_t key : {kInitProducerId, kAddPartitions, kEndTxn, kListOffsets, kDescribeProducers})
    EXPECT_LT(world.kafka.requests[key], kPartitions / 2) << "API " << key;
}

TEST(RelayShards, AccidentOfOnePartitionDisturbsNoOther) {
  constexpr int32_t kPartitions = 40;
  RelayWorld world(2, kPartitions);
  for (auto& [index, source] : world.source) source.append(2, 3, kNowMs);
  world.start_gateway();
  ASSERT_TRUE(world.until_caught_up());
  const int markers = world.kafka.markers;
  std::map<int32_t, PumpSession> before;
  for (auto& [index, source] : world.source) before[index] = world.gateway().pump(index).session();
  world.kafka.refuse_next_produce = kafka::ErrorCode::kRequestTimedOut;
  world.source[7].append(2, 3, kNowMs);
  ASSERT_TRUE(world.until([&] { return world.kafka.markers > markers && world.gateway().caught_up(); }));
  EXPECT_EQ(world.kafka.markers, markers + 1) << "of the one partition, and none in the log of record";
  for (auto& [index, source] : world.source) {
    const bool moved = world.gateway().pump(index).session() != before[index];
    EXPECT_EQ(moved, index == 7) << "partition " << index;
  }
  // Its neighbours go on under the epochs that they had.
  for (auto& [index, source] : world.source) source.append(3, 3, kNowMs);
  ASSERT_TRUE(world.until_caught_up());
  EXPECT_EQ(world.kafka.markers, markers + 1);
  EXPECT_EQ(world.wrong(), "");
}

Task<void> open_again(RelayGateway& gateway, std::optional<Error>& error) {
  auto opened = co_await gateway.sink.open(RelayGateway::key_of(0));
  error = opened.error();
}

TEST(RelayShards, GatewayWhoseShardWasTakenIsToldByItsNextFenceAndFencesNothing) {
  RelayWorld world(3);
  for (int i = 0; i < 5; ++i) world.source[0].append(2, 3, kNowMs);
  RelayGateway& old = world.start_gateway();
  ASSERT_TRUE(world.until_caught_up());
  RelayGateway& other = world.start_gateway();
  ASSERT_TRUE(world.until_caught_up());
  const int markers = world.kafka.markers;
  std::optional<Error> told;  // before it has asked who owns the shard
  world.world.spawn(old.env, open_again(old, told));
  ASSERT_TRUE(world.until([&] { return told.has_value(); }));
  EXPECT_EQ(told->code, ErrorCode::kFenced) << told->to_string();
  world.world.run_for(seconds(10));
  EXPECT_EQ(world.kafka.markers, markers) << "the gateway that is in control keeps the partition";
  EXPECT_TRUE(other.failures.empty());
  world.source[0].append(2, 3, kNowMs);
  ASSERT_TRUE(world.until([&] { return other.caught_up(); }));
  EXPECT_EQ(world.wrong(), "");
}

TEST(RelayShards, LogWriterInDoubtBeginsAnotherSessionOfItsShardOnly) {
  constexpr int32_t kPartitions = 60;
  RelayWorld world(4, kPartitions);
  for (auto& [index, source] : world.source) source.append(2, 3, kNowMs);
  world.start_gateway();
  ASSERT_TRUE(world.until_caught_up());
  const std::string shard = relay_shard_id(RelayGateway::key_of(7));
  const auto& id = world.kafka.transactional_ids.at(shard);
  for (int16_t epoch = 0; epoch <= id.epoch; ++epoch)
    world.gateway().journal.writer_in_doubt.insert({id.producer_id, epoch});
  std::map<int32_t, PumpSession> before;
  for (auto& [index, source] : world.source) before[index] = world.gateway().pump(index).session();
  world.kafka.refuse_next_produce = kafka::ErrorCode::kRequestTimedOut;
  world.source[7].append(2, 3, kNowMs);
  auto moved = [&](int32_t index) { return world.gateway().pump(index).session() != before[index]; };
  auto of_shard = [&](int32_t index) { return relay_shard_id(RelayGateway::key_of(index)) == shard; };
  auto all_moved = [&] {
    bool all = world.gateway().caught_up();
    for (const auto& [index, source] : world.source) all = all && (!of_shard(index) || moved(index));
    return all;
  };
  ASSERT_TRUE(world.until(all_moved));
  for (const auto& [index, source] : world.source) EXPECT_EQ(moved(index), of_shard(index)) << "partition " << index;
  for (auto& [index, source] : world.source) source.append(3, 3, kNowMs);
  ASSERT_TRUE(world.until_caught_up());
  EXPECT_EQ(world.wrong(), "");
}

// What a gateway of before there were shards left: batches and an anchor under the partition's own transactional id.
void relayed_by_an_older_gateway(RelayWorld& world, int32_t records) {
  const std::string id = relay_partition_id(RelayGateway::key_of(0));
  world.kafka.transactional_ids[id] = {500, 3, -1, {}, false};
  world.target().write_marker(500, 3, kNowMs);
  world.kafka.partition(kRelayLog, 0).write_marker(500, 3, kNowMs);
  RelayAnchor anchor;
  anchor.producer = {500, 3};
  anchor.source_epoch = LogEpoch(3);
  anchor.target_from = TargetOffset(world.target().end);
  world.down.claims[RelayGateway::key_of(0)].anchors.push_back(anchor);
  world.source[0].append(records, 3, kNowMs);
  BatchBuilder builder;
  builder.producer(500, 3, 0);
  for (int i = 0; i < records; ++i) builder.add(kNowMs, "key", "record " + std::to_string(i));
  ASSERT_EQ(world.target().produce(builder.build()).code, kafka::ErrorCode::kNone);
}

TEST(RelayShards, PartitionOfAnOlderGatewayIsFencedByItsOwnIdAndNobodyWaits) {
  RelayWorld world(5);
  relayed_by_an_older_gateway(world, 4);
  world.source[0].append(2, 3, kNowMs);
  const Duration began = world.world.now();
  world.start_gateway();
  ASSERT_TRUE(world.until_caught_up());
  EXPECT_LT(world.world.now() - began, seconds(10));
  EXPECT_EQ(world.wrong(), "");
  BatchBuilder late;  // which lay in the older gateway's socket
  late.producer(500, 3, 4).add(kNowMs, "key", "late");
  EXPECT_NE(world.target().produce(late.build()).code, kafka::ErrorCode::kNone);
  EXPECT_NE(world.kafka.partition(kRelayLog, 0).produce(late.build()).code, kafka::ErrorCode::kNone);
}

TEST(RelayShards, OlderGatewaysIdIsAskedForOnceEvenIfThePartitionStaysIdle) {
  RelayWorld world(6);
  relayed_by_an_older_gateway(world, 4);
  world.start_gateway();
  ASSERT_TRUE(world.until_caught_up());
  world.kill_gateways();
  const int16_t epoch = world.kafka.transactional_ids.at(relay_partition_id(RelayGateway::key_of(0))).epoch;
  world.start_gateway();
  ASSERT_TRUE(world.until_caught_up());
  EXPECT_EQ(world.kafka.transactional_ids.at(relay_partition_id(RelayGateway::key_of(0))).epoch, epoch);
  EXPECT_EQ(world.wrong(), "");
}

TEST(RelayShards, IdlePartitionWaitsForAFormerOwnerOnce) {
  RelayWorld world(7);
  world.source[0].append(2, 3, kNowMs);
  world.start_gateway();
  ASSERT_TRUE(world.until_caught_up());
  for (int round = 0; round < 2; ++round) {
    world.kill_gateways();
    if (round == 0) world.kafka.transactional_ids.clear();
    const Duration began = world.world.now();
    world.start_gateway();
    ASSERT_TRUE(world.until_caught_up());
    const Duration took = world.world.now() - began;
    EXPECT_EQ(took >= seconds(30), round == 0) << "the second time the id is known again";
  }
  EXPECT_EQ(world.wrong(), "");
}

}  // namespace
}  // namespace farshore::replicator
