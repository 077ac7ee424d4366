// Partitions on a full, a failing and a damaged disk; and the deletion of topics.
#include "broker/partitions/partition_table.h"

#include <gtest/gtest.h>

#include "base/gate.h"
#include "base/sim/disk.h"
#include "broker/metadata/metadata.h"
#include "broker/partitions/partition_lookup.h"
#include "broker/partitions/topic_creator.h"
#include "broker/testing/test_cluster.h"
#include "proto/batch/builder.h"

namespace farshore::broker {
namespace {

constexpr int64_t kTime = 1'700'000'000'000;

Task<void> make(TestCluster& cluster, std::string name, int32_t partitions) {
  NewTopic topic;
  topic.name = std::move(name);
  topic.partitions = partitions;
  auto made = co_await cluster.services().topics.create(std::move(topic), cluster.env().in(seconds(60)));
  EXPECT_FALSE(made.refusal) << made.refusal.message;
}

Task<void> append(TestCluster& cluster, PartitionPtr partition, size_t bytes, AppendOrigin origin, ErrorCode& code) {
  BatchBuilder builder;
  builder.add(kTime, "key", std::string(bytes, 'x'));
  BatchRun run = builder.build_run(cluster.arena());
  auto info = co_await partition->append(std::move(run), origin);
  code = info ? ErrorCode::kNone : info.error().code;
  if (!info) co_return;
  auto committed = co_await partition->wait_committed(info->last, cluster.env().in(seconds(60)));
  if (!committed) code = committed.error().code;
}

ErrorCode appended(TestCluster& cluster, const std::string& topic, int32_t index, size_t bytes,
                   AppendOrigin origin = AppendOrigin::kClient) {
  auto found = cluster.services().partitions.find(std::string_view(topic), index);
  if (!found) return found.error().code;
  ErrorCode code = ErrorCode::kInternal;
  cluster.run_inside(append(cluster, *found, bytes, origin, code));
  return code;
}

Task<void> remove(TestCluster& cluster, std::string name) {
  Services& services = cluster.services();
  TopicId id = services.metadata.image()->topic(name)->id;
  auto removed = co_await services.metadata.delete_topic(id, cluster.env().in(seconds(60)));
  EXPECT_TRUE(removed) << removed.error().to_string();
  auto applied =
      co_await services.partitions.wait_for(services.metadata.image()->revision, cluster.env().in(seconds(60)));
  EXPECT_TRUE(applied) << applied.error().to_string();
}

Task<void> count_directories(TestCluster& cluster, std::string prefix, size_t& count) {
  auto names = co_await cluster.env().files().list("/data");
  EXPECT_TRUE(names);
  if (!names) co_return;
  count = 0;
  for (const auto& name : *names) count += name.starts_with(prefix) && !name.ends_with("-stray") ? 1 : 0;
}

size_t directories(TestCluster& cluster, const std::string& prefix) {
  size_t count = 0;
  cluster.run_inside(count_directories(cluster, prefix, count));
  return count;
}

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

TEST(PartitionTable, LeftoverThatCannotBeRemovedDoesNotStopAStart) {
  TestCluster cluster(5);
  cluster.start();
  cluster.run_inside(make(cluster, "orders", 1));
  cluster.run_inside(make(cluster, "old", 1));
  cluster.world().disk("east-1").fail_next(sim::DiskOp::kRename, "/data/old-0", 2);  // its checkpoint's, and its own
  cluster.run_inside(remove(cluster, "old"));
  cluster.world().run_for(seconds(1));
  EXPECT_EQ(directories(cluster, "old-"), 1u);  // the removal failed
  cluster.kill();
  cluster.world().disk("east-1").fail_next(sim::DiskOp::kRename, "/data/old-0");
  cluster.start();
  EXPECT_EQ(appended(cluster, "orders", 0, 100), ErrorCode::kNone);
  // The name can be used again, without a restart: the leftover is set aside.
  cluster.run_inside(make(cluster, "old", 1));
  EXPECT_EQ(appended(cluster, "old", 0, 100), ErrorCode::kNone);
  EXPECT_EQ(cluster.partition("old", 0)->ends().end, Offset(1));
}

Task<void> make_at_once(TestCluster& cluster, std::string name, MonoTime& done) {
  co_await make(cluster, std::move(name), 1);
  done = cluster.env().now();
}

Task<void> remove_and_make_another(TestCluster& cluster, Duration& create_took, MonoTime& started) {
  Services& services = cluster.services();
  TopicId id = services.metadata.image()->topic("big")->id;
  auto removed = co_await services.metadata.delete_topic(id, cluster.env().in(seconds(60)));
  EXPECT_TRUE(removed);
  started = cluster.env().now();
  co_await make(cluster, "after", 1);
  create_took = cluster.env().now() - started;
}

TEST(PartitionTable, DeletingManyPartitionsDoesNotHoldUpACreate) {
  constexpr int32_t kPartitions = 100;
  TestCluster cluster(6);
  cluster.start();
  cluster.run_inside(make(cluster, "big", kPartitions));
  cluster.world().disk("east-1").set_slow(milliseconds(10), milliseconds(20));
  Duration create_took{};
  MonoTime started;
  cluster.run_inside(remove_and_make_another(cluster, create_took, started));
  EXPECT_GT(directories(cluster, "big-"), 0u);  // the removal goes on
  // The same name is free once the old logs are closed and renamed.
  MonoTime remade;
  cluster.run_inside(make_at_once(cluster, "big", remade));
  EXPECT_LT(create_took * 3, remade - started);
  EXPECT_EQ(appended(cluster, "big", 0, 100), ErrorCode::kNone);
  cluster.world().disk("east-1").set_normal();
  cluster.world().run_for(seconds(60));
  EXPECT_EQ(directories(cluster, "big-"), 1u);
}

Task<void> make_and_remove(TestCluster& cluster, std::string name, int32_t partitions) {
  NewTopic topic;
  topic.name = name;
  topic.partitions = partitions;
  // The answer comes before the partitions are open.
  (void)co_await cluster.services().topics.create(std::move(topic), cluster.env().in(seconds(1)));
  FARSHORE_CO_REQUIRE(cluster.services().metadata.image()->topic(name));
  co_await remove(cluster, std::move(name));
}

TEST(PartitionTable, NameIsFreeAgainAfterTwoDeletionsAtTheSameTime) {
  constexpr int32_t kPartitions = 40;
  for (int deletions : {1, 3}) {
    TestCluster cluster(8);
    cluster.start();
    cluster.run_inside(make(cluster, "orders", kPartitions));
    ASSERT_EQ(appended(cluster, "orders", kPartitions - 1, 100), ErrorCode::kNone);
    cluster.world().disk("east-1").set_slow(milliseconds(100), milliseconds(200));
    cluster.run_inside(remove(cluster, "orders"));
    // The logs of the first topic are being closed.
    for (int i = 0; i < deletions; ++i) cluster.run_inside(make_and_remove(cluster, "orders", kPartitions));
    EXPECT_GT(directories(cluster, "orders-"), 0u) << "else the test means something else";
    cluster.world().disk("east-1").set_normal();
    cluster.run_inside(make(cluster, "orders", 1));
    EXPECT_EQ(appended(cluster, "orders", 0, 100), ErrorCode::kNone);
    EXPECT_EQ(cluster.partition("orders", 0)->ends().end, Offset(1)) << "a log of its own";
    cluster.world().run_for(seconds(60));
    EXPECT_EQ(directories(cluster, "orders-"), 1u);
    cluster.stop();
  }
}

TEST(PartitionTable, StopEndsWhileATopicWaitsForTheDeletionOfAnotherOneOfItsName) {
  TestCluster cluster(9);
  cluster.start();
  cluster.run_inside(make(cluster, "orders", 20));
  cluster.world().disk("east-1").set_slow(milliseconds(100), milliseconds(200));
  cluster.run_inside(remove(cluster, "orders"));
  cluster.run_inside(make_and_remove(cluster, "orders", 20));
  cluster.stop();
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

TEST(PartitionTable, TopicWhoseLogsWaitForADescriptorCanBeDeletedAndMadeAgain) {
  TestCluster cluster(11);
  cluster.start();
  auto& disk = cluster.world().disk("east-1");
  disk.refuse_descriptors("/data/orders-");
  cluster.run_inside(make(cluster, "orders", 3));
  cluster.world().run_for(seconds(2));
  cluster.run_inside(remove(cluster, "orders"));
  disk.refuse_descriptors("");
  cluster.run_inside(make(cluster, "orders", 2));
  cluster.world().run_for(seconds(15));
  EXPECT_EQ(appended(cluster, "orders", 1, 100), ErrorCode::kNone);
  EXPECT_EQ(cluster.services().partitions.offline(), 0u);
  EXPECT_EQ(directories(cluster, "orders-"), 2u);
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

TEST(PartitionTable, DeletionIsFinishedAfterAKillAtAnyPoint) {
  for (uint64_t n = 1; n <= 61; n += 3) {
    SCOPED_TRACE("killed at resumption " + std::to_string(n));
    TestCluster cluster(100 + n);
    cluster.start();
    cluster.run_inside(make(cluster, "orders", 2));
    ASSERT_EQ(appended(cluster, "orders", 0, 100), ErrorCode::kNone);
    auto& env = cluster.env();
    env.at_resumption(n, [&cluster, &env] { cluster.world().kill(env); });
    (void)cluster.world().run(env, remove(cluster, "orders"), seconds(60));
    cluster.kill();
    cluster.start();
    bool exists = cluster.services().metadata.image()->topic("orders") != nullptr;
    EXPECT_EQ(directories(cluster, "orders-"), exists ? 2u : 0u);
    cluster.run_inside(make(cluster, "other", 1));
    EXPECT_EQ(appended(cluster, "other", 0, 100), ErrorCode::kNone);
  }
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
