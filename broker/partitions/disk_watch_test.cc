#include "broker/partitions/internal/disk_watch.h"

#include <gtest/gtest.h>

#include "base/sim/disk.h"
#include "broker/partitions/topic_creator.h"
#include "broker/testing/test_cluster.h"
#include "proto/batch/builder.h"

namespace farshore::broker {
namespace {

// One partition on a disk without a reserve, with `free` bytes left.
class FullDisk : public ::testing::Test {
 protected:
  void SetUp() override {
    cluster_.set("log.reserve.bytes", "0");
    cluster_.start();
    cluster_.run_inside(make_topic());
    leave(500'000);
  }
  Task<void> make_topic() {
    NewTopic topic;
    topic.name = "orders";
    auto made = co_await cluster_.services().topics.create(std::move(topic), cluster_.env().in(seconds(60)));
    EXPECT_FALSE(made.refusal) << made.refusal.message;
  }
  void leave(uint64_t free) {
    auto& disk = cluster_.world().disk("east-1");
    disk.set_capacity(disk.used_bytes() + free);
  }
  ErrorCode write(size_t bytes) {
    ErrorCode code = ErrorCode::kInternal;
    cluster_.run_inside(write_task(bytes, code));
    return code;
  }
  Task<void> write_task(size_t bytes, ErrorCode& code) {
    BatchBuilder builder;
    builder.add(1'700'000'000'000, "key", std::string(bytes, 'x'));
    BatchRun run = builder.build_run(cluster_.arena());
    auto info = co_await cluster_.partition("orders", 0)->append(std::move(run), AppendOrigin::kClient);
    code = info ? ErrorCode::kNone : info.error().code;
  }
  bool full() { return cluster_.services().partitions.disk_full(); }
  // Seconds until a small write is taken, after a large one was refused.
  int seconds_until_written() {
    EXPECT_EQ(write(800'000), ErrorCode::kNoSpace);
    for (int second = 0; second < 100; ++second) {
      if (write(100) == ErrorCode::kNone) return second;
      cluster_.world().run_for(seconds(1));
    }
    ADD_FAILURE() << "nothing is written any more";
    return -1;
  }

  TestCluster cluster_{7};
};

TEST_F(FullDisk, StaysFullForWritesThatDoNotFit) {
  EXPECT_EQ(write(800'000), ErrorCode::kNoSpace);
  for (int i = 0; i < 120; ++i) {
    cluster_.world().run_for(milliseconds(500));
    EXPECT_TRUE(full()) << i;
    EXPECT_EQ(write(800'000), ErrorCode::kNoSpace) << i;
  }
  leave(5'000'000);
  cluster_.world().run_for(seconds(2));
  EXPECT_FALSE(full());
  EXPECT_EQ(write(800'000), ErrorCode::kNone);
}

TEST_F(FullDisk, HasRoomAgainWhenATrialIsWritten) {
  EXPECT_EQ(write(800'000), ErrorCode::kNoSpace);
  EXPECT_EQ(write(100), ErrorCode::kNoSpace) << "refused without a look at the disk";
  cluster_.world().run_for(seconds(3));
  EXPECT_TRUE(full()) << "nobody has tried";
  EXPECT_EQ(write(100), ErrorCode::kNone);
  cluster_.world().run_for(seconds(2));
  EXPECT_FALSE(full());
}

TEST_F(FullDisk, PausesBetweenTrialsGrowToHalfAMinute) {
  const int first = seconds_until_written();
  EXPECT_LE(first, 4);
  int last = first;
  for (int i = 0; i < 6; ++i) {
    cluster_.world().run_for(seconds(2));  // the disk has room
    const int pause = seconds_until_written();
    EXPECT_GE(pause + 1, last);
    last = pause;
  }
  EXPECT_GE(last, 25);
  EXPECT_LE(last, 33);
  cluster_.world().run_for(minutes(3));
  EXPECT_LE(seconds_until_written(), first + 1) << "nothing was refused for a while";
}

// Opens of many logs, each of which takes long, as a client's CreateTopics waits for them.
Task<void> create_slowly(TestCluster& cluster, bool& ended) {
  NewTopic topic;
  topic.name = "many";
  topic.partitions = 90;
  auto made = co_await cluster.services().topics.create(std::move(topic), cluster.env().in(minutes(60)));
  EXPECT_FALSE(made.refusal) << made.refusal.message;
  ended = true;
}

TEST(PartitionTableStop, WaitsForOpeningsEndBeforeTheConnectionsAreClosed) {
  TestCluster cluster(8);
  cluster.start();
  bool ended = false;
  Gate gate(cluster.env());
  spawn(gate, "create topic", create_slowly(cluster, ended));
  cluster.world().disk("east-1").set_slow(seconds(2), seconds(2));
  cluster.world().run_for(seconds(10));
  EXPECT_FALSE(ended);
  cluster.services().partitions.refuse_waits();
  cluster.world().run_for(milliseconds(100));
  EXPECT_TRUE(ended);
  cluster.world().disk("east-1").set_normal();
}

}  // namespace
}  // namespace farshore::broker
