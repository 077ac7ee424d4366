// The deletion of topics, and new topics of the same name.
#include <gtest/gtest.h>

#include "base/sim/disk.h"
#include "broker/partitions/testing/partition_calls.h"

namespace farshore::broker {
namespace {

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

}  // namespace
}  // namespace farshore::broker
