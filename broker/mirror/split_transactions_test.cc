// Transactions of which a failover aborts one part are found and reported.
#include <gtest/gtest.h>

#include "broker/mirror/testing/raw_gateway.h"

namespace farshore::broker {
namespace {

class TornTransactions : public MirrorApi {};

using Code = kafka::ErrorCode;
using Batch = std::vector<std::byte>;

Batch commit_marker(int64_t base, int64_t id, int16_t producer_epoch, int32_t epoch, int64_t at_ms) {
  BatchBuilder builder;
  builder.base_offset(base).leader_epoch(epoch).producer(id, producer_epoch, -1);
  builder.add_marker(ControlType::kCommit, 1, at_ms);
  return builder.build();
}
Batch part_of(int64_t base, int64_t id, int32_t sequence, int64_t at_ms) {
  BatchBuilder builder;
  builder.base_offset(base).leader_epoch(3).producer(id, 2, sequence).transactional();
  builder.add(at_ms, "key", "part");
  return builder.build();
}

// Producers 1, 2 and 3 have a transaction open in partition 0, from second 10 on. Producer 1's was committed, as
// partition 1 says; producer 2's commit there is of an earlier transaction; producer 3's was open in partition 1 as
// well.
Task<void> torn_between_partitions(LinkWorld& world, int16_t marker_epoch) {
  RawGateway zero(world), one(world);
  one.partition_index = 1;
  const bool connected = co_await zero.ready() && co_await one.ready();
  FARSHORE_CO_REQUIRE(connected);
  EXPECT_EQ(co_await zero.open(), 0);
  EXPECT_EQ(co_await one.open(), 0);
  auto put = [](RawGateway& to, Batch batch, int64_t at) -> Task<void> {
    auto done = co_await to.append(std::move(batch), at, at == 0 ? -1 : 3);
    EXPECT_CODE(done, Code::kNone);
  };
  co_await put(zero, part_of(0, 1, 0, 10'000), 0);
  co_await put(zero, part_of(1, 2, 5, 10'000), 1);
  co_await put(zero, part_of(2, 3, 0, 10'000), 2);
  co_await put(one, part_of(0, 2, 0, 5'000), 0);
  co_await put(one, commit_marker(1, 2, 2, 3, 6'000), 1);
  co_await put(one, part_of(2, 1, 0, 10'001), 2);
  co_await put(one, commit_marker(3, 1, marker_epoch, 3, 11'000), 3);
  co_await put(one, part_of(4, 3, 0, 10'000), 4);
}
// Producers 1 to 40 have a transaction open in both partitions.
constexpr int kOpenTransactions = 40;
Task<void> open_in_both_partitions(LinkWorld& world) {
  RawGateway zero(world), one(world);
  one.partition_index = 1;
  const bool connected = co_await zero.ready() && co_await one.ready();
  FARSHORE_CO_REQUIRE(connected);
  EXPECT_EQ(co_await zero.open(), 0);
  EXPECT_EQ(co_await one.open(), 0);
  for (RawGateway* to : {&zero, &one}) {
    for (int i = 0; i < kOpenTransactions; ++i) {
      auto done = co_await to->append(part_of(i, i + 1, 0, 10'000 + i), i, i == 0 ? -1 : 3);
      EXPECT_CODE(done, Code::kNone);
    }
  }
}
Task<void> fail_over_slowly(LinkWorld& world) {
  RawGateway gateway(world);
  FARSHORE_CO_REQUIRE(co_await gateway.ready());
  auto describe = gateway.control_request(MirrorOperation::kDescribe);
  auto now = co_await gateway.call(std::move(describe), kafka::MirrorControlRequest::kMaxVersion);
  FARSHORE_CO_REQUIRE(now && now->now_ms > 0);
  auto request = gateway.control_request(MirrorOperation::kFailover);
  request.valid_until_ms = now->now_ms + 10'000;
  auto ended = co_await gateway.control(std::move(request));
  EXPECT_CODE(ended, Code::kNone);
  FARSHORE_CO_REQUIRE(ended.partitions.size() == LinkWorld::kPartitions && ended.partitions[0].promotion);
  const auto& aborted = ended.partitions[0].promotion->aborted;
  EXPECT_EQ(aborted.size(), size_t{kOpenTransactions});
  EXPECT_TRUE(aborted.back().maybe_torn) << "unknown is not the same as whole";
}
Task<void> fail_over_torn(LinkWorld& world) {
  RawGateway gateway(world);
  FARSHORE_CO_REQUIRE(co_await gateway.ready());
  for (const bool dry_run : {true, false, false}) {  // the last one: asked again
    auto request = gateway.control_request(MirrorOperation::kFailover);
    request.dry_run = dry_run;
    auto ended = co_await gateway.control(std::move(request));
    EXPECT_CODE(ended, Code::kNone);
    FARSHORE_CO_REQUIRE(ended.partitions.size() == LinkWorld::kPartitions && ended.partitions[0].promotion &&
                        ended.partitions[1].promotion);
    const auto& aborted = ended.partitions[0].promotion->aborted;
    FARSHORE_CO_REQUIRE(aborted.size() == 3);
    FARSHORE_CO_REQUIRE(aborted[0].committed.size() == 1);
    EXPECT_EQ(aborted[0].producer_id, 1);
    EXPECT_EQ(aborted[0].committed[0].topic, "orders");
    EXPECT_EQ(aborted[0].committed[0].partition, 1);
    EXPECT_EQ(aborted[0].committed[0].marker_offset, 3);
    EXPECT_TRUE(aborted[1].committed.empty()) << "an earlier transaction's commit tears nothing";
    EXPECT_TRUE(aborted[2].committed.empty()) << "open everywhere is not torn";
    for (const auto& each : aborted) EXPECT_FALSE(each.maybe_torn);
    FARSHORE_CO_REQUIRE(ended.partitions[1].promotion->aborted.size() == 1);
    EXPECT_TRUE(ended.partitions[1].promotion->aborted[0].committed.empty());
  }
}

TEST_F(TornTransactions, TransactionCommittedOnAnotherPartitionIsReportedTorn) {
  world.run(torn_between_partitions(world, 2));
  world.run(fail_over_torn(world));
}
TEST_F(TornTransactions, TransactionWhoseMarkersRaiseTheEpochIsReportedTorn) {
  world.run(torn_between_partitions(world, 3));
  world.run(fail_over_torn(world));
}
TEST_F(TornTransactions, TornTransactionsAreFoundAfterARestartOfTheTarget) {
  world.run(torn_between_partitions(world, 2));
  world.stop_broker("west-1");  // in order: its snapshots are then of the very end
  world.start_broker("west-1");
  world.run(fail_over_torn(world));
}

TEST_F(TornTransactions, SearchOnASlowDiskDoesNotHoldUpAFailover) {
  world.run(open_in_both_partitions(world));
  world.stop_broker("west-1");  // then the commits are not in memory: the logs are read
  world.start_broker("west-1");
  world.world().disk("west-1").set_slow(milliseconds(40), milliseconds(40));
  world.run(fail_over_slowly(world));
}

}  // namespace
}  // namespace farshore::broker
