// Failover and promotion: they are final, and clients write only behind the markers that abort open transactions.
#include <gtest/gtest.h>

#include "broker/metadata/producer_ids.h"
#include "broker/mirror/mirror_targets.h"
#include "broker/mirror/testing/raw_gateway.h"
#include "proto/kafka/messages/offset_for_leader_epoch.h"

namespace farshore::broker {
namespace {

class PromotionApi : public MirrorApi {};

using Code = kafka::ErrorCode;
using Batch = std::vector<std::byte>;

Batch transactional(int64_t base, int64_t id, int32_t epoch) {
  BatchBuilder builder;
  builder.base_offset(base).leader_epoch(epoch).producer(id, 2, 0).transactional();
  builder.add(1'700'000'000'000, "key", "open");
  return builder.build();
}

Task<void> failover(LinkWorld& world) {
  EXPECT_NE(co_await produce_to(world, "west-1"), 0);
  RawGateway gateway(world);
  FARSHORE_CO_REQUIRE(co_await gateway.ready());
  EXPECT_EQ(co_await gateway.open(), 0);
  auto appended = co_await gateway.append(source_batch(0, 5, 3), 0, -1);
  EXPECT_CODE(appended, Code::kNone);
  // A transaction that was open when the source was lost, with an id of this very cluster (its data came back).
  const int64_t id = (world.broker("west-1").services().producer_ids.salt() << kProducerIdCounterBits) + 5000;
  auto open_one = co_await gateway.append(transactional(5, id, 70000), 5, 3, /*source_high_watermark=*/9, 70000);
  EXPECT_CODE(open_one, Code::kNone);

  auto request = gateway.control_request(MirrorOperation::kFailover);
  request.dry_run = true;
  auto planned = co_await gateway.control(std::move(request));
  EXPECT_CODE(planned, Code::kNone);
  EXPECT_NE(co_await produce_to(world, "west-1"), 0);

  request = gateway.control_request(MirrorOperation::kFailover);
  auto ended = co_await gateway.control(std::move(request));
  EXPECT_CODE(ended, Code::kNone);
  EXPECT_EQ(role_of(ended), MirrorRole::kFailedOver);
  FARSHORE_CO_REQUIRE(ended.partitions.size() == LinkWorld::kPartitions && ended.partitions[0].promotion);
  const auto& record = *ended.partitions[0].promotion;
  EXPECT_EQ(record.offset, 6);
  EXPECT_EQ(record.last_source_epoch, 70000);
  EXPECT_EQ(record.leadership_epoch, 2 * 65536);  // above 70000, and a multiple
  EXPECT_EQ(record.source_high_watermark, 9);
  EXPECT_EQ(record.lost_at_least_records, 3);
  FARSHORE_CO_REQUIRE(record.aborted.size() == 1);
  EXPECT_EQ(record.aborted[0].producer_id, id);
  EXPECT_EQ(record.aborted[0].first_offset, 5);
  auto partition = world.partition("west-1", 0);
  EXPECT_EQ(partition->ends().last_stable, partition->ends().end);
  EXPECT_EQ(partition->ends().end, Offset(7));  // the marker
  // KIP-101: where the source's epoch ends here is the failover point, also before the first write.
  EXPECT_EQ(partition->log().epoch_end(LogEpoch(70000)).end, Offset(6));

  auto next_id = co_await world.broker("west-1").services().producer_ids.next(world.client().in(seconds(10)));
  EXPECT_TRUE(next_id && *next_id > id) << "an id of the mirrored data must not be given again";
  EXPECT_EQ(co_await produce_to(world, "west-1"), 0);
  EXPECT_EQ(co_await gateway.open(), wire_code(Code::kPolicyViolation));
  auto late = co_await gateway.append(source_batch(6, 1, 70000), 6, 70000);
  EXPECT_CODE(late, Code::kPolicyViolation);
  request = gateway.control_request(MirrorOperation::kFailover);  // the answer was lost: asked again
  auto again = co_await gateway.control(std::move(request));
  EXPECT_CODE(again, Code::kNone);
  EXPECT_EQ(again.partitions[0].promotion->offset, 6);
}
TEST_F(PromotionApi, FailoverEndsTheMirrorForGoodAndReportsTheLoss) {
  world.run(failover(world));
  world.kill_broker("west-1");
  world.start_broker("west-1");
  auto described = [](LinkWorld& w) -> Task<void> {
    RawGateway gateway(w);
    FARSHORE_CO_REQUIRE(co_await gateway.ready());
    auto request = gateway.control_request(MirrorOperation::kDescribe);
    auto result = co_await gateway.control(std::move(request));
    EXPECT_CODE(result, Code::kNone);
    EXPECT_EQ(role_of(result), MirrorRole::kFailedOver);
    FARSHORE_CO_REQUIRE(result.partitions.size() == 1 && result.partitions[0].promotion);
    EXPECT_EQ(result.partitions[0].promotion->offset, 6);
    EXPECT_EQ(result.partitions[0].promotion->lost_at_least_records, 3);
  };
  world.run(described(world));
}

// Clients that write as fast as they can to partition 0, from before the failover on.
struct Eager {
  bool stop = false;
  int running = 0;
  std::vector<int64_t> offsets;  // of what was acknowledged
};
Task<void> write_eagerly(LinkWorld& world, Eager& eager) {
  ++eager.running;
  Batch batch = source_batch(0, 1, -1);
  while (!eager.stop) {
    TestClient client(world.client());
    auto connected = co_await client.connect(LinkWorld::endpoint("west-1"));
    while (connected && !eager.stop) {
      kafka::ProduceRequest request;
      request.acks = -1;
      request.timeout_ms = 5000;
      auto& data = request.topic_data.emplace_back();
      data.name = "orders";
      data.partition_data.emplace_back().records = kafka::Records::view(batch);
      auto response = co_await client.call(std::move(request), 9);
      if (!response || response->responses.empty()) break;
      const auto& answer = response->responses[0].partition_responses[0];
      if (answer.error_code == 0) eager.offsets.push_back(answer.base_offset);
    }
    co_await world.client().sleep(milliseconds(5));
  }
  --eager.running;
}

constexpr int64_t kForeignId = 77;  // as Apache Kafka gives them

Task<void> two_open_transactions(LinkWorld& world) {
  RawGateway gateway(world);
  FARSHORE_CO_REQUIRE(co_await gateway.ready());
  EXPECT_EQ(co_await gateway.open(), 0);
  auto plain = co_await gateway.append(source_batch(0, 5, 3), 0, -1);
  EXPECT_CODE(plain, Code::kNone);
  auto first = co_await gateway.append(transactional(5, kForeignId, 3), 5, 3);
  EXPECT_CODE(first, Code::kNone);
  auto second = co_await gateway.append(transactional(6, kForeignId + 1, 3), 6, 3);
  EXPECT_CODE(second, Code::kNone);
}
Task<void> ask_for_failover(LinkWorld& world) {
  RawGateway gateway(world);
  const bool ready = co_await gateway.ready();
  if (!ready) co_return;
  auto request = gateway.control_request(MirrorOperation::kFailover);
  (void)co_await gateway.control(std::move(request));  // the broker may be killed meanwhile
}

// Step 1 at offset 7, markers at 7 and 8, and only then clients. (A write that a kill left without an answer may have
// taken 9.)
void expect_markers_before_clients(LinkWorld& world, const Eager& eager, const std::string& when) {
  auto partition = world.partition("west-1", 0);
  ASSERT_TRUE(partition);
  EXPECT_EQ(partition->ends().last_stable, partition->ends().high_watermark) << when;
  ASSERT_FALSE(eager.offsets.empty()) << when;
  EXPECT_GE(*std::min_element(eager.offsets.begin(), eager.offsets.end()), 9) << when;
}

TEST(Promotions, ClientsWriteOnlyAfterTheMarkersThatAbortOpenTransactions) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    LinkWorld world(seed);
    world.start_broker("east-1");
    world.start_broker("west-1");
    world.make_topics();
    world.run(two_open_transactions(world));
    Eager eager;
    for (int i = 0; i < 4; ++i) world.world().spawn(world.client_env(), write_eagerly(world, eager));
    world.run(ask_for_failover(world));
    ASSERT_TRUE(world.until([&] { return eager.offsets.size() >= 4; }, seconds(20)));
    eager.stop = true;
    ASSERT_TRUE(world.until([&] { return eager.running == 0; }, seconds(20)));
    expect_markers_before_clients(world, eager, "seed " + std::to_string(seed));
  }
}

TEST(Promotions, FailoverKilledAnywhereHasNotBegunOrIsFinishedBeforeClientsWrite) {
  int ended = 0, not_begun = 0;
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    LinkWorld world(seed);
    world.start_broker("east-1");
    world.start_broker("west-1");
    world.make_topics();
    world.run(two_open_transactions(world));
    Eager eager;
    for (int i = 0; i < 2; ++i) world.world().spawn(world.client_env(), write_eagerly(world, eager));
    sim::SimEnv& west = world.broker_env("west-1");
    west.at_resumption(seed * 4, [&] { world.world().kill(west); });
    world.run(ask_for_failover(world));
    world.kill_broker("west-1");
    world.start_broker("west-1");
    const std::string when = "killed at resumption " + std::to_string(seed * 4);
    if (world.broker("west-1").image()->topic("orders")->mirror->ended()) {
      ++ended;
      EXPECT_TRUE(world.until([&] { return eager.offsets.size() >= 2; }, seconds(20))) << when;
      expect_markers_before_clients(world, eager, when);
    } else {
      ++not_begun;
      world.world().run_for(seconds(1));
      EXPECT_TRUE(eager.offsets.empty()) << when;
    }
    eager.stop = true;
    ASSERT_TRUE(world.until([&] { return eager.running == 0; }, seconds(20)));
  }
  EXPECT_GT(ended, 0);
  EXPECT_GT(not_begun, 0);
}

Task<void> promote_waits(LinkWorld& world) {
  RawGateway gateway(world);
  FARSHORE_CO_REQUIRE(co_await gateway.ready());
  EXPECT_EQ(co_await gateway.open(), 0);
  auto appended = co_await gateway.append(source_batch(0, 5, 3), 0, -1);
  EXPECT_CODE(appended, Code::kNone);
  auto request = gateway.control_request(MirrorOperation::kPromote);
  request.topics[0].partitions[0].end_offset = 6;
  auto early = co_await gateway.control(std::move(request));
  EXPECT_CODE(early, Code::kOffsetOutOfRange);
  EXPECT_EQ(co_await gateway.open(), 0);  // still a mirror
  request = gateway.control_request(MirrorOperation::kPromote);
  request.topics[0].partitions[0].end_offset = 5;
  auto done = co_await gateway.control(std::move(request));
  EXPECT_CODE(done, Code::kNone);
  EXPECT_EQ(role_of(done), MirrorRole::kPromoted);
}
TEST_F(PromotionApi, PromotionIsRefusedUntilTheAgreedEndIsMirrored) { world.run(promote_waits(world)); }

Task<void> append_to(LinkWorld& world, int32_t partition, int records) {
  RawGateway gateway(world);
  gateway.partition_index = partition;
  FARSHORE_CO_REQUIRE(co_await gateway.ready());
  EXPECT_EQ(co_await gateway.open(), 0);
  auto appended = co_await gateway.append(source_batch(0, records, 3), 0, -1);
  EXPECT_CODE(appended, Code::kNone);
}
Task<void> end_mirror(LinkWorld& world, MirrorOperation how, RawGateway::TopicResult& ended) {
  RawGateway gateway(world);
  FARSHORE_CO_REQUIRE(co_await gateway.ready());
  auto request = gateway.control_request(how);
  request.topics[0].partitions.clear();
  ended = co_await gateway.control(std::move(request));
}
ClientAccess access_of(LinkWorld& world, int32_t partition) {
  return world.partition("west-1", partition)->client_access();
}

TEST_F(PromotionApi, EndThatWasWrittenDownIsNeverAheadOfTheLogAfterAPowerLoss) {
  world.run(append_to(world, 0, 5));
  RawGateway::TopicResult ended;
  world.run(end_mirror(world, MirrorOperation::kFailover, ended));
  EXPECT_CODE(ended, Code::kNone);
  world.power_off("west-1", sim::PowerLoss::kDropAll);  // durability=page-cache: nothing else has synced the log
  world.start_broker("west-1");
  EXPECT_GE(world.partition("west-1", 0)->ends().end, Offset(5));
}

TEST_F(PromotionApi, OfflinePartitionHoldsUpNoOtherAndEndsWhenItIsBack) {
  for (int32_t p = 0; p < LinkWorld::kPartitions; ++p) world.run(append_to(world, p, 5 + p));
  world.stop_broker("west-1");
  const std::string path = "/data/orders-1/partition.metadata";
  sim::SimDisk& disk = world.world().disk("west-1");
  const std::string good = disk.contents(path).value_or("");
  disk.put_contents(path, "version: 0\ntopic_id: damaged\n");
  world.start_broker("west-1");
  RawGateway::TopicResult ended;
  world.run(end_mirror(world, MirrorOperation::kPromote, ended));
  EXPECT_CODE(ended, Code::kKafkaStorageError);  // a promote promises all of them
  world.run(end_mirror(world, MirrorOperation::kFailover, ended));
  EXPECT_CODE(ended, Code::kNone);
  ASSERT_EQ(ended.partitions.size(), 3U);
  EXPECT_EQ(ended.partitions[0].promotion->offset, 5);
  EXPECT_FALSE(ended.partitions[1].promotion);
  EXPECT_EQ(ended.partitions[2].promotion->offset, 7);
  EXPECT_EQ(access_of(world, 0), ClientAccess::kWritable);
  EXPECT_EQ(access_of(world, 2), ClientAccess::kWritable);

  world.stop_broker("west-1");
  disk.put_contents(path, good);  // repaired
  world.start_broker("west-1");
  ASSERT_TRUE(world.until([&] { return access_of(world, 1) == ClientAccess::kWritable; }, seconds(60)));
  world.run(end_mirror(world, MirrorOperation::kFailover, ended));
  EXPECT_CODE(ended, Code::kNone);
  ASSERT_TRUE(ended.partitions[1].promotion);
  EXPECT_EQ(ended.partitions[1].promotion->offset, 6);
  EXPECT_EQ(ended.partitions[0].promotion->offset, 5);
}

// As an append to a disk that hangs.
Task<void> keep_busy(Env& env, std::shared_ptr<MirrorTargets::Target> target, Duration how_long, bool& busy) {
  auto guard = co_await target->lock.lock();
  busy = true;
  co_await env.sleep(how_long);
  busy = false;
}

TEST_F(PromotionApi, PartitionWhoseAppendDoesNotEndHoldsUpNoOther) {
  for (int32_t p = 0; p < LinkWorld::kPartitions; ++p) world.run(append_to(world, p, 5 + p));
  bool busy = false;
  sim::SimEnv& west = world.broker_env("west-1");
  auto target = world.broker("west-1").services().mirror_targets.target(world.mirror_id(), 1);
  world.world().spawn(west, keep_busy(west, std::move(target), minutes(2), busy));
  ASSERT_TRUE(world.until([&] { return busy; }, seconds(10)));
  RawGateway::TopicResult ended;
  world.run(end_mirror(world, MirrorOperation::kFailover, ended));
  EXPECT_CODE(ended, Code::kNone);
  EXPECT_TRUE(busy) << "the failover has waited for it";
  EXPECT_EQ(access_of(world, 0), ClientAccess::kWritable);
  EXPECT_EQ(access_of(world, 2), ClientAccess::kWritable);
  ASSERT_TRUE(world.until([&] { return access_of(world, 1) == ClientAccess::kWritable; }, minutes(5)));
  EXPECT_FALSE(busy);
  world.run(end_mirror(world, MirrorOperation::kFailover, ended));
  ASSERT_TRUE(ended.partitions.size() == 3U && ended.partitions[1].promotion);
  EXPECT_EQ(ended.partitions[1].promotion->offset, 6);
}

// As of a disk that hangs.
Task<void> sync_slowly(PartitionPtr partition, bool& hangs) {
  hangs = true;
  (void)co_await partition->log().flush();
  hangs = false;
}

TEST_F(PromotionApi, PartitionWhoseSyncDoesNotEndHoldsUpNoOther) {
  for (int32_t p = 0; p < LinkWorld::kPartitions; ++p) world.run(append_to(world, p, 5 + p));
  bool hangs = false;
  sim::SimDisk& disk = world.world().disk("west-1");
  disk.set_slow(minutes(5), minutes(5));
  world.world().spawn(world.broker_env("west-1"), sync_slowly(world.partition("west-1", 1), hangs));
  ASSERT_TRUE(world.until([&] { return hangs; }, seconds(10)));
  world.world().run_for(milliseconds(100));
  disk.set_normal();
  RawGateway::TopicResult ended;
  world.run(end_mirror(world, MirrorOperation::kPromote, ended));
  EXPECT_CODE(ended, Code::kKafkaStorageError);
  EXPECT_NE(ended.error_message.value_or("").find("the disk is too slow, or hangs"), std::string::npos)
      << ended.error_message.value_or("");
  EXPECT_TRUE(hangs);
  world.run(end_mirror(world, MirrorOperation::kFailover, ended));
  EXPECT_CODE(ended, Code::kNone);
  EXPECT_TRUE(hangs) << "the failover has waited for it";
  EXPECT_EQ(access_of(world, 0), ClientAccess::kWritable);
  EXPECT_EQ(access_of(world, 2), ClientAccess::kWritable);
  ASSERT_TRUE(world.until([&] { return access_of(world, 1) == ClientAccess::kWritable; }, minutes(10)));
  EXPECT_FALSE(hangs);
  world.run(end_mirror(world, MirrorOperation::kFailover, ended));
  ASSERT_TRUE(ended.partitions.size() == 3U && ended.partitions[1].promotion);
  EXPECT_EQ(ended.partitions[1].promotion->offset, 6);
}

}  // namespace
}  // namespace farshore::broker
