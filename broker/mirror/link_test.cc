// Two brokers and the real data plane between them, in the simulator: the mirror has the same bytes at the same
// offsets, whatever fails.
#include <gtest/gtest.h>

#include "broker/mirror/testing/link_world.h"
#include "proto/kafka/messages/delete_records.h"

namespace farshore::broker {
namespace {

class MirrorLink : public testing::Test {
 protected:
  LinkWorld& link(uint64_t seed = 1) {
    if (!link_) {
      link_ = std::make_unique<LinkWorld>(seed);
      link_->start_broker("east-1");
      link_->start_broker("west-1");
      link_->make_topics();
    }
    return *link_;
  }
  void produce(int32_t partition, int batches, int records = 3, std::string value = "value") {
    for (int i = 0; i < batches; ++i) {
      bool done = false;
      link().run(link().produce(partition, records, value, &done));
      ASSERT_TRUE(done);
    }
  }
  void skips_deleted(int64_t records);
  void expect_sync(Duration limit = seconds(60)) {
    bool synced = link().until([this] { return link().in_sync(); }, limit);
    if (!synced) {
      link().world().print(stderr);
      for (const auto& p : link().gateway().replicator.progress())
        ADD_FAILURE() << "partition " << p.key.partition.value() << " phase " << static_cast<int>(p.pump.phase)
                      << " target end " << p.pump.target_end.value() << " source HW "
                      << p.pump.source.high_watermark.value() << " " << p.pump.failure.to_string() << " / "
                      << p.source_error.to_string() << " / " << p.target_error.to_string();
    }
    ASSERT_TRUE(synced);
  }
  std::unique_ptr<LinkWorld> link_;
};

TEST_F(MirrorLink, MirrorHasEveryByteOfATopicThatIsWritten) {
  LinkWorld::Producer producer;
  link().start_producer(producer);
  link().start_gateway();
  link().world().run_for(seconds(10));
  link().stop_producer(producer);
  EXPECT_GT(producer.acked, 100);
  expect_sync();
  link().expect_same_bytes();
  EXPECT_GT(link().gateway().events.caught_up, 0);
  EXPECT_TRUE(link().gateway().events.failed.empty());
  link().world().run_for(seconds(2));  // the last answers
  for (const auto& p : link().gateway().replicator.progress()) EXPECT_EQ(p.pump.lag_offsets, 0);
}

// The target refuses an append that overtook the one before it. The simulator runs spawned coroutines in any order.
TEST_F(MirrorLink, RequestsUnderWayArriveInOrder) {
  size_t most_in_flight = 0;
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    link_.reset();
    link(seed);
    produce(0, 60, 3, std::string(6000, 'v'));
    auto& gateway = link().start_gateway();
    bool synced = link().until(
        [&] {
          most_in_flight = std::max(most_in_flight, gateway.sink.appends_in_flight());
          return link().in_sync();
        },
        seconds(60));
    ASSERT_TRUE(synced);
    const auto& errors = gateway.replicator.counters().append_errors;
    EXPECT_EQ(errors.count(ErrorCode::kConflict), 0u) << errors.at(ErrorCode::kConflict) << " appends out of order";
  }
  EXPECT_GE(most_in_flight, 2u) << "nothing could have been overtaken";
}

TEST_F(MirrorLink, FirstByteArrivesWithinASecond) {
  link().start_gateway();
  link().world().run_for(seconds(5));
  produce(0, 1);
  EXPECT_TRUE(link().until([this] { return link().in_sync(); }, seconds(1)));
}

TEST_F(MirrorLink, StoppedGatewayLeavesNothingRunning) {
  produce(0, 3);
  link().start_gateway();
  expect_sync();
  auto& gateway = link().gateway();
  EXPECT_TRUE(link().world().run(gateway.env, gateway.replicator.stop(), seconds(30)));
  gateway.source.close();
  gateway.target.close();
}

TEST_F(MirrorLink, NewGatewayContinuesAtTheEndOfTheTarget) {
  produce(0, 20);
  link().start_gateway();
  expect_sync();
  link().kill_gateway();
  produce(0, 5);
  produce(1, 5);
  link().start_gateway();
  expect_sync();
  link().expect_same_bytes();
}

TEST_F(MirrorLink, NewerGatewayFencesTheOlderOne) {
  produce(0, 3);
  auto& old = link().start_gateway(1);
  expect_sync();
  auto& young = link().start_gateway(2, {}, "gateway-2");
  link().world().run_for(seconds(3));
  produce(0, 3);
  produce(1, 3);
  expect_sync();
  link().world().run_for(seconds(3));
  link().expect_same_bytes();
  EXPECT_TRUE(young.events.failed.empty());
  ASSERT_FALSE(old.events.failed.empty());
  for (const Error& error : old.events.failed) EXPECT_EQ(error.code, ErrorCode::kFenced) << error.to_string();
}

// Answers to what was sent for a partition before it was taken out say nothing about the one that was put back.
TEST_F(MirrorLink, PartitionThatIsRemovedAndAddedAgainContinues) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    link_.reset();
    link(seed);
    LinkWorld::Producer producer;
    link().start_producer(producer);
    auto& gateway = link().start_gateway();
    for (int i = 0; i < 60; ++i) {
      link().world().run_for(milliseconds(link().client().random().between(0, 60)));
      link().take_out_and_put_back(static_cast<int32_t>(i % LinkWorld::kPartitions));
    }
    link().stop_producer(producer);
    expect_sync();
    link().expect_same_bytes();
    EXPECT_TRUE(gateway.events.failed.empty());
    link().world().run_for(seconds(2));
    for (const auto& p : gateway.replicator.progress()) EXPECT_EQ(p.pump.lag_offsets, 0);
    const auto& errors = gateway.replicator.counters().control_errors;
    EXPECT_EQ(errors.count(ErrorCode::kConflict), 0u) << "two coroutines opened one partition";
  }
}

TEST_F(MirrorLink, MirrorFollowsASourceThatLostItsTailAndNamesTheRange) {
  produce(0, 10);
  link().start_gateway();
  expect_sync();
  // What was synced so far stays; the tail that follows is mirrored, and then lost at the source.
  auto flushed = [](PartitionPtr partition) -> Task<void> { (void)co_await partition->log().flush(); };
  for (int32_t i = 0; i < LinkWorld::kPartitions; ++i) {
    auto partition = link().partition("east-1", i);
    ASSERT_TRUE(link().world().run(link().broker_env("east-1"), flushed(partition), LinkWorld::kLimit));
  }
  const Offset common = link().partition("east-1", 0)->ends().end;
  produce(0, 4);
  expect_sync();
  const Offset lost_to = link().partition("east-1", 0)->ends().end;
  link().power_off("east-1", sim::PowerLoss::kDropAll);
  link().start_broker("east-1");
  ASSERT_LT(link().partition("east-1", 0)->ends().end, lost_to);
  produce(0, 2, 3, "other");
  expect_sync(seconds(120));
  link().expect_same_bytes();
  const auto& diverged = link().gateway().events.diverged;
  ASSERT_FALSE(diverged.empty());
  EXPECT_TRUE(diverged.front().cut);
  EXPECT_EQ(diverged.front().range.to.value(), lost_to.value());
  EXPECT_GE(diverged.front().range.from.value(), common.value());
}

TEST_F(MirrorLink, DivergenceStopsTheMirrorIfThePolicyIsStop) {
  produce(0, 3);
  replicator::ReplicatorOptions options;
  options.pump.on_divergence = replicator::OnMismatch::kStop;
  link().start_gateway(1, options);
  expect_sync();
  const Offset lost_to = link().partition("east-1", 0)->ends().end;
  link().power_off("east-1", sim::PowerLoss::kDropAll);
  link().start_broker("east-1");
  ASSERT_LT(link().partition("east-1", 0)->ends().end, lost_to);
  produce(0, 10, 3, "other");
  ASSERT_TRUE(link().until([this] { return !link().gateway().events.failed.empty(); }, seconds(60)));
  EXPECT_EQ(link().partition("west-1", 0)->ends().end, lost_to);
  EXPECT_FALSE(link().gateway().events.diverged.empty());
}

TEST_F(MirrorLink, TargetThatLostItsTailIsFilledAgain) {
  produce(0, 10);
  link().start_gateway();
  expect_sync();
  link().power_off("west-1", sim::PowerLoss::kDropAll);
  link().start_broker("west-1");
  ASSERT_FALSE(link().in_sync());
  produce(0, 1);
  expect_sync();
  link().expect_same_bytes();
}

TEST_F(MirrorLink, InjectedTrustInOldOffsetsIsDetected) {
  produce(0, 10);
  replicator::ReplicatorOptions options;
  options.pump.test_only_resume_from_memory = true;
  link().start_gateway(1, options);
  expect_sync();
  link().power_off("west-1", sim::PowerLoss::kDropAll);
  link().start_broker("west-1");
  produce(0, 1);
  EXPECT_FALSE(link().until([this] { return link().in_sync(); }, seconds(60)));
}

// `records` behind what is mirrored are deleted at the source while no gateway runs.
void MirrorLink::skips_deleted(int64_t records) {
  produce(0, 5);
  link().start_gateway();
  expect_sync();
  link().kill_gateway();
  const Offset mirrored = link().partition("west-1", 0)->ends().end;
  produce(0, 10);
  const Offset deleted_to = mirrored + records;
  auto remove = [](LinkWorld& world, Offset to) -> Task<void> {
    TestClient client(world.client());
    FARSHORE_CO_REQUIRE(co_await client.connect(LinkWorld::endpoint("east-1")));
    kafka::DeleteRecordsRequest request;
    request.timeout_ms = 10000;
    auto& topic = request.topics.emplace_back();
    topic.name = "orders";
    auto& partition = topic.partitions.emplace_back();
    partition.partition_index = 0;
    partition.offset = to.value();
    auto response = co_await client.call(std::move(request), 2);
    FARSHORE_CO_REQUIRE(response && response->topics[0].partitions[0].error_code == 0);
  };
  link().run(remove(link(), deleted_to));
  link().start_gateway();
  expect_sync();
  link().expect_same_bytes();
  EXPECT_TRUE(link().until([&] { return link().partition("west-1", 0)->ends().log_start == deleted_to; }, seconds(10)));
  const auto& gaps = link().gateway().events.gaps;
  if (records < 3) {  // the next batch is still there
    EXPECT_TRUE(gaps.empty());
    return;
  }
  ASSERT_EQ(gaps.size(), 1u);
  EXPECT_EQ(gaps[0].range.from.value(), mirrored.value());
  EXPECT_EQ(gaps[0].range.to.value(), deleted_to.value());
}

TEST_F(MirrorLink, OffsetsThatRetentionDeletedAreNamedAndSkipped) { skips_deleted(12); }
TEST_F(MirrorLink, LogStartInsideABatchIsMirrored) { skips_deleted(13); }
TEST_F(MirrorLink, LogStartInsideTheBatchThatFollowsTheMirrorIsMirrored) { skips_deleted(1); }

TEST_F(MirrorLink, LogStartOfTheMirrorFollowsTheSource) {
  produce(0, 10);
  link().start_gateway();
  expect_sync();
  auto move = [](PartitionPtr partition) -> Task<void> {
    (void)co_await partition->log().advance_log_start(Offset(9));
    partition->changed();
  };
  ASSERT_TRUE(link().world().run(link().broker_env("east-1"), move(link().partition("east-1", 0)), LinkWorld::kLimit));
  produce(0, 1);
  EXPECT_TRUE(
      link().until([this] { return link().partition("west-1", 0)->ends().log_start == Offset(9); }, seconds(10)));
}

TEST_F(MirrorLink, SilentSourceIsNoticedWithinTenSeconds) {
  produce(0, 3);
  link().start_gateway();
  expect_sync();
  link().world().net().partition("east-1", "gateway");
  auto noticed = [this] {
    for (const auto& p : link().gateway().replicator.progress())
      if (p.source_error.code == ErrorCode::kNone) return false;
    return true;
  };
  EXPECT_TRUE(link().until(noticed, seconds(11)));
  link().world().net().heal();
  produce(0, 3);
  expect_sync();
}

TEST_F(MirrorLink, SmallBudgetsSlowTheLinkButDoNotStopIt) {
  for (int32_t partition = 0; partition < LinkWorld::kPartitions; ++partition)
    produce(partition, 30, 5, std::string(4000, 'b'));
  replicator::ReplicatorOptions options;
  options.inflight_bytes_max = 60 << 10;
  options.pump.buffered_bytes_max = 30 << 10;
  link().start_gateway(1, options);
  expect_sync();
  link().expect_same_bytes();
  link().world().run_for(seconds(2));  // the last answers
  EXPECT_EQ(link().gateway().replicator.inflight_bytes(), 0u);
}

TEST_F(MirrorLink, NetworkTooSlowForOneResponseStillProgresses) {
  for (int32_t partition = 0; partition < LinkWorld::kPartitions; ++partition)
    produce(partition, 50, 5, std::string(4000, 's'));
  sim::LinkProfile slow;
  slow.bytes_per_second = 100e3;
  link().world().net().set_profile("east-1", "gateway", slow);
  link().start_gateway();
  expect_sync(seconds(120));
  link().expect_same_bytes();
}

TEST_F(MirrorLink, PausedPartitionStopsAndContinuesWhenResumed) {
  produce(0, 3);
  auto& gateway = link().start_gateway();
  expect_sync();
  const auto key = gateway.replicator.progress()[0].key;
  auto pause = [](LinkWorld::Gateway& g, LinkPartition k, bool on) -> Task<void> {
    if (on)
      g.replicator.pause(k);
    else
      g.replicator.resume(k);
    co_return;
  };
  ASSERT_TRUE(link().world().run(gateway.env, pause(gateway, key, true), seconds(5)));
  produce(key.partition.value(), 3);
  EXPECT_FALSE(link().until([this] { return link().in_sync(); }, seconds(10)));
  ASSERT_TRUE(link().world().run(gateway.env, pause(gateway, key, false), seconds(5)));
  expect_sync();
  link().expect_same_bytes();
}

class MirrorLinkSeeds : public testing::TestWithParam<uint64_t> {};

TEST_P(MirrorLinkSeeds, MirrorEqualsTheSourceAfterAnyKillsAndNetworkFailures) {
  const uint64_t seed = GetParam();
  SCOPED_TRACE("seed " + std::to_string(seed));
  LinkWorld link(seed);
  link.start_broker("east-1");
  link.start_broker("west-1");
  link.make_topics();
  LinkWorld::Producer producer;
  link.start_producer(producer);
  int64_t epoch = 1;
  link.start_gateway(epoch);
  Random& random = link.world().random();
  for (int i = 0; i < 12; ++i) {
    link.world().run_for(milliseconds(random.between(100, 3000)));
    switch (random.below(7)) {
      case 0:
        link.kill_broker("east-1");
        link.world().run_for(milliseconds(random.between(1, 2000)));
        link.start_broker("east-1");
        break;
      case 1:
        link.kill_broker("west-1");
        link.world().run_for(milliseconds(random.between(1, 2000)));
        link.start_broker("west-1");
        break;
      case 2:
        if (random.chance(0.5)) link.kill_gateway();
        link.start_gateway(++epoch);
        break;
      case 3:
        link.world().net().partition(random.chance(0.5) ? "east-1" : "west-1", "gateway");
        break;
      case 4:
        (void)link.world().net().reset_one(random.chance(0.5) ? "gateway" : "client");
        break;
      case 5:
        (void)link.world().net().black_hole_one("gateway");
        break;
      default:
        link.world().net().heal();
    }
  }
  link.world().net().heal();
  link.stop_producer(producer);
  if (!link.until([&] { return link.in_sync(); }, seconds(90))) {
    link.world().print(stderr);
    for (const auto& p : link.gateway().replicator.progress())
      ADD_FAILURE() << "partition " << p.key.partition.value() << ": " << p.pump.failure.to_string() << " / "
                    << p.source_error.to_string() << " / " << p.target_error.to_string();
    FAIL() << "not in sync";
  }
  link.expect_same_bytes();
  EXPECT_GT(producer.acked, 0);
  for (const auto& [partition, end] : producer.end)
    EXPECT_GE(link.partition("west-1", partition)->ends().end.value(), end) << "an acknowledged record is missing";
  EXPECT_TRUE(link.world().failure().empty()) << link.world().failure();
}

INSTANTIATE_TEST_SUITE_P(Seeds, MirrorLinkSeeds, testing::Range<uint64_t>(100, 130));

}  // namespace
}  // namespace farshore::broker
