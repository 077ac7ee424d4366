// Partitions on a full, a failing and a damaged disk.
#include <gtest/gtest.h>

#include "base/sim/disk.h"
#include "broker/partitions/partition_lookup.h"
#include "broker/partitions/testing/partition_calls.h"

namespace farshore::broker {
namespace {

TEST(PartitionTable, FullDiskRefusesClientsButNotGroupsReadsAndDeletions) {
  TestCluster cluster(1);
  cluster.set("log.reserve.bytes", "1000000");
  cluster.start();
  cluster.run_inside(make(cluster, "orders", 1));
  cluster.run_inside(make(cluster, "old", 1));
  ASSERT_EQ(appended(cluster, "orders", 0, 100), ErrorCode::kNone);
  auto& disk = cluster.world().disk("east-1");
  disk.set_capacity(disk.used_bytes() + 500000);  // less than the reserve
  cluster.world().run_for(seconds(3));
  EXPECT_TRUE(cluster.services().partitions.disk_full());
  EXPECT_EQ(appended(cluster, "orders", 0, 100), ErrorCode::kNoSpace);
  EXPECT_EQ(appended(cluster, "orders", 0, 100, AppendOrigin::kCoordinator), ErrorCode::kNone);
  EXPECT_EQ(cluster.partition("orders", 0)->ends().high_watermark, Offset(2));
  cluster.run_inside(remove(cluster, "old"));
  cluster.world().run_for(seconds(1));
  EXPECT_EQ(directories(cluster, "old-"), 0u);
  disk.set_capacity(disk.used_bytes() + 5000000);
  cluster.world().run_for(seconds(3));
  EXPECT_EQ(appended(cluster, "orders", 0, 100), ErrorCode::kNone);
  EXPECT_EQ(cluster.partition("orders", 0)->ends().end, Offset(3));
}

TEST(PartitionTable, PartitionNotOpenedForLackOfSpaceIsOpenedWhenThereIsSpace) {
  TestCluster cluster(3);
  cluster.set("log.reserve.bytes", "0");
  cluster.start();
  auto& disk = cluster.world().disk("east-1");
  disk.set_capacity(disk.used_bytes());
  cluster.run_inside(make(cluster, "orders", 2));
  EXPECT_EQ(appended(cluster, "orders", 0, 100), ErrorCode::kNoSpace);
  EXPECT_EQ(cluster.services().partitions.offline(), 2u);
  cluster.world().run_for(seconds(5));  // it is tried in vain
  EXPECT_EQ(cluster.services().partitions.offline(), 2u);
  disk.set_capacity(uint64_t{1} << 40);
  cluster.world().run_for(seconds(3));
  EXPECT_EQ(cluster.services().partitions.offline(), 0u);
  EXPECT_EQ(appended(cluster, "orders", 1, 100), ErrorCode::kNone);
}

TEST(PartitionTable, AppendThatDoesNotFitOnTheDiskLeavesNothingBehind) {
  TestCluster cluster(2);
  cluster.set("log.reserve.bytes", "0");
  cluster.start();
  cluster.run_inside(make(cluster, "orders", 1));
  auto& disk = cluster.world().disk("east-1");
  disk.set_capacity(disk.used_bytes() + 5000);
  EXPECT_EQ(appended(cluster, "orders", 0, 50000), ErrorCode::kNoSpace);
  EXPECT_EQ(cluster.partition("orders", 0)->ends().end, Offset(0));
  disk.set_capacity(uint64_t{1} << 40);
  cluster.world().run_for(seconds(3));
  EXPECT_EQ(appended(cluster, "orders", 0, 50000), ErrorCode::kNone);
}

TEST(PartitionTable, DiskWithoutReserveStaysFullUntilThereIsRoom) {
  TestCluster cluster(5);
  cluster.set("log.reserve.bytes", "0");
  cluster.start();
  cluster.run_inside(make(cluster, "orders", 1));
  auto& disk = cluster.world().disk("east-1");
  disk.set_capacity(disk.used_bytes());
  EXPECT_FALSE(cluster.services().partitions.disk_full()) << "nobody has written";
  EXPECT_EQ(appended(cluster, "orders", 0, 100), ErrorCode::kNoSpace);
  cluster.world().run_for(seconds(5));
  EXPECT_TRUE(cluster.services().partitions.disk_full());
  EXPECT_EQ(cluster.services().partitions.free_bytes(), 0u);
  disk.set_capacity(disk.used_bytes() + 500000);
  cluster.world().run_for(seconds(3));
  EXPECT_FALSE(cluster.services().partitions.disk_full());
  EXPECT_EQ(appended(cluster, "orders", 0, 100), ErrorCode::kNone);
}

TEST(PartitionTable, FailingDiskTakesOnePartitionOfflineUntilARestart) {
  TestCluster cluster(3);
  cluster.set("durability", "fsync");
  cluster.start();
  cluster.run_inside(make(cluster, "orders", 2));
  ASSERT_EQ(appended(cluster, "orders", 0, 100), ErrorCode::kNone);
  cluster.world().disk("east-1").fail_next(sim::DiskOp::kSync, "/data/orders-0/");
  EXPECT_EQ(appended(cluster, "orders", 0, 100), ErrorCode::kIo);
  EXPECT_EQ(appended(cluster, "orders", 0, 100), ErrorCode::kIo);
  EXPECT_EQ(cluster.services().partitions.offline(), 1u);
  EXPECT_EQ(appended(cluster, "orders", 1, 100), ErrorCode::kNone);
  cluster.kill();
  cluster.start();
  EXPECT_EQ(cluster.services().partitions.offline(), 0u);
  EXPECT_EQ(appended(cluster, "orders", 0, 100), ErrorCode::kNone);
}

Task<void> has_stray(TestCluster& cluster, size_t& count) {
  auto names = co_await cluster.env().files().list("/data");
  EXPECT_TRUE(names);
  if (!names) co_return;
  count = 0;
  for (const auto& name : *names) count += name.starts_with("orders-0.") && name.ends_with("-stray") ? 1 : 0;
}

TEST(PartitionTable, LogOfAnotherTopicIsNeitherOpenedNorRemoved) {
  TestCluster cluster(4);
  cluster.start();
  cluster.run_inside(make(cluster, "orders", 1));
  ASSERT_EQ(appended(cluster, "orders", 0, 100), ErrorCode::kNone);
  cluster.kill();
  // Somebody copied another cluster's log here.
  auto& env = cluster.world().start_process("east-1", "vandal");
  auto vandalize = [](Env& e) -> Task<void> {
    std::string text = "version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ\n";
    EXPECT_TRUE(co_await replace_file(e.files(), "/data/orders-0/partition.metadata", std::move(text)));
  };
  ASSERT_TRUE(cluster.world().run(env, vandalize(env), seconds(60)));
  cluster.start();
  EXPECT_EQ(cluster.partition("orders", 0)->ends().end, Offset(0));
  size_t strays = 0;
  cluster.run_inside(has_stray(cluster, strays));
  EXPECT_EQ(strays, 1u);
}

TEST(PartitionTable, OfflinePartitionIsRefusedWithItsReason) {
  TestCluster cluster(6);
  cluster.start();
  cluster.run_inside(make(cluster, "orders", 1));
  cluster.kill();
  cluster.world().disk("east-1").put_contents("/data/orders-0/partition.metadata", "garbage");
  cluster.start();
  auto found = find_partition(cluster.services().partitions, std::string_view("orders"), 0);
  EXPECT_EQ(found.error, kafka::ErrorCode::kKafkaStorageError);
  const std::string said = found.refusal().message;
  EXPECT_NE(said.find("/data/orders-0/partition.metadata cannot be read"), std::string::npos) << said;
  EXPECT_NE(said.find("restart"), std::string::npos) << said;
}

TEST(PartitionTable, RecordsAcknowledgedWithFsyncSurviveAPowerLoss) {
  for (uint64_t seed = 200; seed < 220; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    TestCluster cluster(seed);
    cluster.set("durability", "fsync");
    cluster.start();
    cluster.run_inside(make(cluster, "orders", 1));
    int acknowledged = 0;
    for (int i = 0; i < 5; ++i) acknowledged += appended(cluster, "orders", 0, 3000) == ErrorCode::kNone ? 1 : 0;
    ASSERT_EQ(acknowledged, 5);
    LeadershipEpoch before = cluster.partition("orders", 0)->leadership_epoch();
    cluster.world().power_off("east-1", sim::PowerLoss::kDropAll);
    cluster.kill();
    cluster.start();
    ASSERT_TRUE(cluster.services().metadata.image()->topic("orders"));
    EXPECT_EQ(cluster.partition("orders", 0)->ends().end, Offset(5));
    EXPECT_GT(cluster.partition("orders", 0)->leadership_epoch(), before);
  }
}

}  // namespace
}  // namespace farshore::broker
