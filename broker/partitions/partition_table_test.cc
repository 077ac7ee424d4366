// Partitions that are fenced, led elsewhere, or wait for descriptors.
#include "broker/partitions/partition_table.h"

#include <gtest/gtest.h>

#include "base/gate.h"
#include "base/sim/disk.h"
#include "broker/partitions/partition_lookup.h"
#include "broker/partitions/testing/partition_calls.h"

namespace farshore::broker {
namespace {

// As Produce does: asks, and appends if it may.
Task<void> client_write(TestCluster& cluster, PartitionPtr partition, int& accepted, int& refused) {
  co_await cluster.env().sleep(microseconds(cluster.env().random().between(0, 3000)));
  ErrorCode code = ErrorCode::kInternal;
  const bool may = partition->client_access() == ClientAccess::kWritable;
  if (may) co_await append(cluster, partition, 400, AppendOrigin::kClient, code);
  (may && code == ErrorCode::kNone ? accepted : refused) += 1;
}

Task<void> fence(TestCluster& cluster, PartitionPtr partition, LogEnds& stood) {
  co_await cluster.env().sleep(milliseconds(1));
  partition->set_client_access(ClientAccess::kReadOnly);
  auto settled = co_await partition->settle(cluster.env().in(seconds(60)));
  EXPECT_TRUE(settled) << settled.error().to_string();
  stood = partition->ends();
}

TEST(PartitionTable, FenceReturnsWhenTheWritesThatItLetThroughAreCommitted) {
  for (const char* durability : {"page-cache", "fsync"}) {
    for (uint64_t seed = 1; seed <= 20; ++seed) {
      SCOPED_TRACE(std::string(durability) + " seed " + std::to_string(seed));
      TestCluster cluster(seed);
      cluster.set("durability", durability);
      cluster.set("log.segment.bytes", "4000");  // many rolls: an append waits for the one before it
      cluster.start();
      cluster.run_inside(make(cluster, "orders", 1));
      PartitionPtr partition = cluster.partition("orders", 0);
      cluster.world().disk("east-1").set_slow(microseconds(100), milliseconds(2));
      Gate gate(cluster.env());
      int accepted = 0, refused = 0;
      for (int i = 0; i < 40; ++i) spawn(gate, "write", client_write(cluster, partition, accepted, refused));
      LogEnds stood;
      cluster.run_inside(fence(cluster, partition, stood));
      cluster.run_inside(gate.close());
      EXPECT_EQ(stood.end, Offset(accepted));
      EXPECT_EQ(stood.high_watermark, stood.end);
      EXPECT_EQ(partition->ends().end, stood.end);
      EXPECT_EQ(accepted + refused, 40);
      EXPECT_GT(accepted, 0);
    }
  }
}

Task<void> give_away(TestCluster& cluster, std::string name) {
  MetadataManager::TopicEdit edit = [](TopicImage& topic) -> Status {
    topic.partitions[1].leader = BrokerId(2);
    return ok();
  };
  Services& services = cluster.services();
  auto changed = co_await services.metadata.update_topic(services.metadata.image()->topic(name)->id, std::move(edit),
                                                         cluster.env().in(seconds(60)));
  EXPECT_TRUE(changed);
}

TEST(PartitionTable, PartitionLedByAnotherBrokerIsNotOfflineAndItsClientsAreSentOn) {
  TestCluster cluster(7);
  cluster.start();
  cluster.run_inside(make(cluster, "orders", 2));
  cluster.run_inside(give_away(cluster, "orders"));
  cluster.kill();
  cluster.start();
  EXPECT_EQ(cluster.services().partitions.offline(), 0u);
  EXPECT_EQ(appended(cluster, "orders", 0, 100), ErrorCode::kNone);
  auto found = find_partition(cluster.services().partitions, std::string_view("orders"), 1);
  EXPECT_FALSE(found.partition);
  EXPECT_EQ(found.error, kafka::ErrorCode::kNotLeaderOrFollower);
}

Task<void> make_timed(TestCluster& cluster, std::string name, Duration& took) {
  const MonoTime began = cluster.env().now();
  co_await make(cluster, std::move(name), 1);
  took = cluster.env().now() - began;
}

TEST(PartitionTable, MetadataIsFollowedWhileLogsWaitForADescriptor) {
  constexpr int32_t kPartitions = 40;
  TestCluster cluster(10);
  cluster.start();
  auto& disk = cluster.world().disk("east-1");
  disk.refuse_descriptors("/data/orders-");
  cluster.run_inside(make(cluster, "orders", kPartitions));
  EXPECT_EQ(cluster.services().partitions.offline(), size_t{kPartitions});
  for (int i = 0; i < 5; ++i) {
    cluster.world().run_for(seconds(2));  // they are tried again meanwhile
    Duration took{};
    cluster.run_inside(make_timed(cluster, "other" + std::to_string(i), took));
    EXPECT_LT(took, seconds(2)) << i;
  }
  disk.refuse_descriptors("");
  cluster.world().run_for(seconds(15));
  EXPECT_EQ(cluster.services().partitions.offline(), 0u);
  EXPECT_EQ(appended(cluster, "orders", kPartitions - 1, 100), ErrorCode::kNone);
}

TEST(PartitionTable, StartDoesNotWaitForADescriptorForEachLog) {
  TestCluster cluster(12);
  cluster.start();
  cluster.run_inside(make(cluster, "orders", 60));
  cluster.stop();
  cluster.world().disk("east-1").refuse_descriptors("/data/orders-");
  const MonoTime began = cluster.client().now();
  cluster.start();
  EXPECT_LT(cluster.client().now() - began, 3 * FileCache::kPatience);
  EXPECT_EQ(cluster.services().partitions.offline(), 60u);
  cluster.world().disk("east-1").refuse_descriptors("");
  cluster.world().run_for(seconds(20));
  EXPECT_EQ(cluster.services().partitions.offline(), 0u);
}

}  // namespace
}  // namespace farshore::broker
