// The private mirror APIs as they are on the wire: one writer, and an end that is kept for ever.
#include <gtest/gtest.h>

#include "broker/mirror/link_fixture.h"
#include "broker/producer_ids.h"
#include "proto/kafka/messages/link_state.h"
#include "proto/kafka/messages/mirror_append.h"
#include "proto/kafka/messages/offset_for_leader_epoch.h"

namespace farshore::broker {
namespace {

using Code = kafka::ErrorCode;
using kafka::MirrorAppendRequest;
using kafka::MirrorControlRequest;
using Batch = std::vector<std::byte>;
using TopicResult = kafka::MirrorControlResponse::MirrorControlTopicResult;

Batch source_batch(int64_t base, int records, int32_t epoch) {
  BatchBuilder builder;
  builder.base_offset(base).leader_epoch(epoch);
  for (int i = 0; i < records; ++i) builder.add(1'700'000'000'000, "key", "value " + std::to_string(base + i));
  return builder.build();
}

// One gateway's view of one partition of the mirror.
struct RawGateway : TestClient {
  explicit RawGateway(LinkWorld& w, int64_t epoch = 1) : TestClient(w.client()), world(w), link_epoch(epoch) {}
  LinkWorld& world;
  int64_t link_epoch;
  LinkId link = LinkWorld::kLink;
  TopicId topic_id = world.mirror_id();
  int32_t partition_index = 0;
  int64_t session = 0;

  Task<bool> ready() {
    auto connected = co_await connect(LinkWorld::endpoint("west-1"));
    co_return connected.has_value();
  }
  MirrorControlRequest control_request(int8_t op) {
    MirrorControlRequest request;
    request.link_id = link;
    request.link_epoch = link_epoch;
    request.timeout_ms = 10000;
    request.op = op;
    auto& topic = request.topics.emplace_back();
    topic.topic_id = topic_id;
    auto& partition = topic.partitions.emplace_back();
    partition.partition = partition_index;
    partition.pump_session = session;
    return request;
  }
  Task<TopicResult> control(MirrorControlRequest request) {
    auto response = co_await call(std::move(request), 0);
    TopicResult result;
    result.error_code = -100;
    if (response && response->topics.size() == 1) result = response->topics[0];
    co_return result;
  }
  Task<int16_t> open() {
    auto request = control_request(replicator::kMirrorOpen);
    auto result = co_await control(std::move(request));
    if (result.error_code != 0 || result.partitions.empty()) co_return result.error_code;
    session = result.partitions[0].pump_session;
    co_return result.partitions[0].error_code;
  }
  Task<kafka::MirrorAppendResponse::MirrorAppendPartitionResult> append(Batch batch, int64_t expected_end,
                                                                        int32_t previous_epoch,
                                                                        int64_t source_high_watermark = 100,
                                                                        int32_t source_epoch = 3) {
    MirrorAppendRequest request;
    request.link_id = link;
    request.link_epoch = link_epoch;
    request.timeout_ms = 10000;
    auto& topic = request.topics.emplace_back();
    topic.topic_id = topic_id;
    auto& partition = topic.partitions.emplace_back();
    partition.partition = partition_index;
    partition.pump_session = session;
    partition.expected_end_offset = expected_end;
    partition.previous_epoch = previous_epoch;
    partition.source_high_watermark = source_high_watermark;
    partition.source_log_start = 0;
    partition.source_leader_epoch = source_epoch;
    partition.records = kafka::Records::view(batch);
    auto response = co_await call(std::move(request), 0);
    kafka::MirrorAppendResponse::MirrorAppendPartitionResult result;
    result.error_code = -100;
    if (response && response->topics.size() == 1 && response->topics[0].partitions.size() == 1)
      result = response->topics[0].partitions[0];
    co_return result;
  }
};

class MirrorApi : public testing::Test {
 protected:
  MirrorApi() : world(1) {
    world.start_broker("east-1");
    world.start_broker("west-1");
    world.make_topics();
  }
  LinkWorld world;
};

#define EXPECT_CODE(result, code) EXPECT_EQ((result).error_code, wire_code(code)) << (result).error_message.value_or("")

Task<void> appends_compare(LinkWorld& world) {
  RawGateway gateway(world);
  FARSHORE_CO_REQUIRE(co_await gateway.ready());
  EXPECT_EQ(co_await gateway.open(), 0);
  auto done = co_await gateway.append(source_batch(0, 5, 3), 0, -1);
  EXPECT_CODE(done, Code::kNone);
  EXPECT_EQ(done.end_offset, 5);
  EXPECT_EQ(done.last_epoch, 3);
  EXPECT_GE(done.leadership_epoch, 3);  // raised before the batch was appended
  EXPECT_EQ(world.broker("west-1").image()->topic("orders")->partitions[0].leadership_epoch.value(),
            done.leadership_epoch);

  auto again = co_await gateway.append(source_batch(0, 5, 3), 0, -1);
  EXPECT_CODE(again, Code::kOffsetOutOfRange);
  EXPECT_EQ(again.end_offset, 5);
  auto ahead = co_await gateway.append(source_batch(7, 2, 3), 7, 3);
  EXPECT_CODE(ahead, Code::kOffsetOutOfRange);
  auto lineage = co_await gateway.append(source_batch(5, 2, 3), 5, 2);
  EXPECT_CODE(lineage, Code::kOffsetOutOfRange);
  auto gap = co_await gateway.append(source_batch(8, 2, 3), 5, 3);  // compacted at the source
  EXPECT_CODE(gap, Code::kNone);
  EXPECT_EQ(gap.end_offset, 10);
  Batch bad = source_batch(10, 2, 3);
  bad[70] ^= std::byte(1);
  auto corrupt = co_await gateway.append(bad, 10, 3);
  EXPECT_CODE(corrupt, Code::kCorruptMessage);
  EXPECT_EQ(corrupt.end_offset, 10);
}
TEST_F(MirrorApi, AnAppendMustContinueTheMirrorExactly) { world.run(appends_compare(world)); }

Task<void> sessions_end(LinkWorld& world) {
  RawGateway first(world), second(world);
  FARSHORE_CO_REQUIRE(co_await first.ready());
  FARSHORE_CO_REQUIRE(co_await second.ready());
  EXPECT_EQ(co_await first.open(), 0);
  EXPECT_EQ(co_await second.open(), 0);
  auto stale = co_await first.append(source_batch(0, 1, 3), 0, -1);
  EXPECT_CODE(stale, Code::kFencedLeaderEpoch);
  auto good = co_await second.append(source_batch(0, 1, 3), 0, -1);
  EXPECT_CODE(good, Code::kNone);
  auto cut = first.control_request(replicator::kMirrorTruncate);
  cut.topics[0].partitions[0].offset = 0;
  auto refused = co_await first.control(std::move(cut));
  FARSHORE_CO_REQUIRE(refused.partitions.size() == 1);
  EXPECT_CODE(refused.partitions[0], Code::kFencedLeaderEpoch);
  EXPECT_EQ(refused.partitions[0].end_offset, 1);
}
TEST_F(MirrorApi, ANewSessionEndsTheOlderOnes) { world.run(sessions_end(world)); }

Task<void> epochs_fence(LinkWorld& world) {
  RawGateway old(world, 4), young(world, 5);
  FARSHORE_CO_REQUIRE(co_await old.ready());
  FARSHORE_CO_REQUIRE(co_await young.ready());
  EXPECT_EQ(co_await old.open(), 0);
  EXPECT_EQ(co_await young.open(), 0);
  auto late = co_await old.append(source_batch(0, 1, 3), 0, -1);
  EXPECT_CODE(late, Code::kProducerFenced);
  EXPECT_EQ(co_await old.open(), wire_code(Code::kProducerFenced));
}
TEST_F(MirrorApi, ALowerLinkEpochIsFenced) { world.run(epochs_fence(world)); }

TEST_F(MirrorApi, ALinkEpochSurvivesTheDeathOfTheTarget) {
  auto open = [](LinkWorld& world, int64_t epoch, int16_t* code) -> Task<void> {
    RawGateway gateway(world, epoch);
    FARSHORE_CO_REQUIRE(co_await gateway.ready());
    *code = co_await gateway.open();
  };
  int16_t code = -1;
  world.run(open(world, 9, &code));
  EXPECT_EQ(code, 0);
  world.kill_broker("west-1");
  world.start_broker("west-1");
  world.run(open(world, 8, &code));
  EXPECT_EQ(code, wire_code(Code::kProducerFenced));
}

Task<void> wrong_owner(LinkWorld& world) {
  RawGateway stranger(world);
  stranger.link = LinkId{{9}};
  FARSHORE_CO_REQUIRE(co_await stranger.ready());
  EXPECT_EQ(co_await stranger.open(), wire_code(Code::kPolicyViolation));
  auto append = co_await stranger.append(source_batch(0, 1, 3), 0, -1);
  EXPECT_CODE(append, Code::kPolicyViolation);
  RawGateway lost(world);
  lost.topic_id = TopicId{{1, 2, 3}};
  FARSHORE_CO_REQUIRE(co_await lost.ready());
  EXPECT_EQ(co_await lost.open(), wire_code(Code::kUnknownTopicId));
  RawGateway confused(world);
  FARSHORE_CO_REQUIRE(co_await confused.ready());
  auto request = confused.control_request(replicator::kMirrorOpen);
  request.topics[0].source_topic_id = TopicId{{4}};
  auto other = co_await confused.control(std::move(request));
  EXPECT_CODE(other, Code::kInconsistentTopicId);
}
TEST_F(MirrorApi, AnotherLinkAnotherTopicOrAnotherSourceIsRefused) { world.run(wrong_owner(world)); }

Task<void> creation(LinkWorld& world) {
  RawGateway gateway(world);
  FARSHORE_CO_REQUIRE(co_await gateway.ready());
  auto create = [&](std::string name, std::string source_cluster, std::vector<std::string> provenance) {
    auto request = gateway.control_request(replicator::kMirrorCreateTopic);
    auto& topic = request.topics[0];
    topic.topic_id = {};
    topic.partitions.clear();
    topic.name = std::move(name);
    topic.source_cluster_id = std::move(source_cluster);
    topic.source_topic = "orders";
    topic.source_topic_id = world.source_id();
    topic.source_provenance = std::move(provenance);
    topic.num_partitions = LinkWorld::kPartitions;
    return request;
  };
  const std::string east = world.broker("east-1").image()->cluster_id;
  const std::string west = world.broker("west-1").image()->cluster_id;
  auto request = create("mine", west, {});
  auto self = co_await gateway.control(std::move(request));
  EXPECT_CODE(self, Code::kInvalidRequest);
  request = create("ring", east, {"somewhere", west});
  auto ring = co_await gateway.control(std::move(request));
  EXPECT_CODE(ring, Code::kInvalidRequest);
  request = create("orders", east, {});
  auto same = co_await gateway.control(std::move(request));  // asked again
  EXPECT_CODE(same, Code::kNone);
  EXPECT_EQ(same.topic_id, world.mirror_id());
  request = create("orders", east, {});
  request.topics[0].source_topic_id = TopicId{{5}};
  auto recreated = co_await gateway.control(std::move(request));
  EXPECT_CODE(recreated, Code::kInconsistentTopicId);
  request = create("orders", east, {});
  request.link_id = LinkId{{8}};
  auto owned = co_await gateway.control(std::move(request));
  EXPECT_CODE(owned, Code::kPolicyViolation);
  request = create("orders", east, {});
  request.topics[0].num_partitions = LinkWorld::kPartitions + 2;
  auto grown = co_await gateway.control(std::move(request));
  EXPECT_CODE(grown, Code::kNone);
  EXPECT_EQ(world.broker("west-1").image()->topic("orders")->partitions.size(),
            static_cast<size_t>(LinkWorld::kPartitions + 2));
  EXPECT_NE(world.mirror_id(), world.source_id());
}
TEST_F(MirrorApi, AMirrorIsMadeOnceAndNeverOfItself) { world.run(creation(world)); }

Task<int16_t> produce_to(LinkWorld& world, std::string host) {
  TestClient client(world.client());
  auto connected = co_await client.connect(LinkWorld::endpoint(host));
  if (!connected) co_return -100;
  Batch batch = source_batch(0, 1, -1);
  kafka::ProduceRequest request;
  request.acks = -1;
  request.timeout_ms = 5000;
  auto& data = request.topic_data.emplace_back();
  data.name = "orders";
  data.partition_data.emplace_back().records = kafka::Records::view(batch);
  auto response = co_await client.call(std::move(request), 9);
  if (!response || response->responses.empty()) co_return -100;
  co_return response->responses[0].partition_responses[0].error_code;
}

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

  auto request = gateway.control_request(replicator::kMirrorFailover);
  request.dry_run = true;
  auto planned = co_await gateway.control(std::move(request));
  EXPECT_CODE(planned, Code::kNone);
  EXPECT_NE(co_await produce_to(world, "west-1"), 0);

  request = gateway.control_request(replicator::kMirrorFailover);
  auto ended = co_await gateway.control(std::move(request));
  EXPECT_CODE(ended, Code::kNone);
  EXPECT_EQ(ended.mirror_state, 2);
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
  request = gateway.control_request(replicator::kMirrorFailover);  // the answer was lost: asked again
  auto again = co_await gateway.control(std::move(request));
  EXPECT_CODE(again, Code::kNone);
  EXPECT_EQ(again.partitions[0].promotion->offset, 6);
}
TEST_F(MirrorApi, AFailoverEndsTheMirrorForGoodAndSaysWhatIsLost) {
  world.run(failover(world));
  world.kill_broker("west-1");
  world.start_broker("west-1");
  auto described = [](LinkWorld& w) -> Task<void> {
    RawGateway gateway(w);
    FARSHORE_CO_REQUIRE(co_await gateway.ready());
    auto request = gateway.control_request(replicator::kMirrorDescribe);
    auto result = co_await gateway.control(std::move(request));
    EXPECT_CODE(result, Code::kNone);
    EXPECT_EQ(result.mirror_state, 2);
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
  auto request = gateway.control_request(replicator::kMirrorFailover);
  (void)co_await gateway.control(std::move(request));  // the broker may be killed meanwhile
}

// Step 1 at offset 7, markers at 7 and 8, and only then clients.
void expect_markers_before_clients(LinkWorld& world, const Eager& eager, const std::string& when) {
  auto partition = world.partition("west-1", 0);
  ASSERT_TRUE(partition);
  EXPECT_EQ(partition->ends().last_stable, partition->ends().high_watermark) << when;
  ASSERT_FALSE(eager.offsets.empty()) << when;
  EXPECT_EQ(*std::min_element(eager.offsets.begin(), eager.offsets.end()), 9) << when;
}

TEST(MirrorEnd, ClientsWriteOnlyBehindTheMarkersThatAbortWhatWasOpen) {
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

TEST(MirrorEnd, AFailoverCutOffAnywhereIsNotBegunOrFinishedBeforeClientsWrite) {
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
Task<void> fail_over_torn(LinkWorld& world) {
  RawGateway gateway(world);
  FARSHORE_CO_REQUIRE(co_await gateway.ready());
  for (const bool dry_run : {true, false, false}) {  // the last one: asked again
    auto request = gateway.control_request(replicator::kMirrorFailover);
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
    FARSHORE_CO_REQUIRE(ended.partitions[1].promotion->aborted.size() == 1);
    EXPECT_TRUE(ended.partitions[1].promotion->aborted[0].committed.empty());
  }
}

TEST_F(MirrorApi, ATransactionThatWasCommittedOnAnotherPartitionIsNamedAsTorn) {
  world.run(torn_between_partitions(world, 2));
  world.run(fail_over_torn(world));
}
TEST_F(MirrorApi, SoIsOneWhoseMarkersRaiseTheEpoch) {
  world.run(torn_between_partitions(world, 3));
  world.run(fail_over_torn(world));
}
TEST_F(MirrorApi, TornTransactionsAreFoundAlsoAfterARestartOfTheTarget) {
  world.run(torn_between_partitions(world, 2));
  world.stop_broker("west-1");  // in order: its snapshots are then of the very end
  world.start_broker("west-1");
  world.run(fail_over_torn(world));
}

Task<void> promote_waits(LinkWorld& world) {
  RawGateway gateway(world);
  FARSHORE_CO_REQUIRE(co_await gateway.ready());
  EXPECT_EQ(co_await gateway.open(), 0);
  auto appended = co_await gateway.append(source_batch(0, 5, 3), 0, -1);
  EXPECT_CODE(appended, Code::kNone);
  auto request = gateway.control_request(replicator::kMirrorPromote);
  request.topics[0].partitions[0].end_offset = 6;
  auto early = co_await gateway.control(std::move(request));
  EXPECT_CODE(early, Code::kOffsetOutOfRange);
  EXPECT_EQ(co_await gateway.open(), 0);  // still a mirror
  request = gateway.control_request(replicator::kMirrorPromote);
  request.topics[0].partitions[0].end_offset = 5;
  auto done = co_await gateway.control(std::move(request));
  EXPECT_CODE(done, Code::kNone);
  EXPECT_EQ(done.mirror_state, 1);
}
TEST_F(MirrorApi, APromotionNeedsWhatWasAgreedToBeMirrored) { world.run(promote_waits(world)); }

Task<void> truncation(LinkWorld& world) {
  RawGateway gateway(world);
  FARSHORE_CO_REQUIRE(co_await gateway.ready());
  EXPECT_EQ(co_await gateway.open(), 0);
  auto step_1 = co_await gateway.append(source_batch(0, 5, 3), 0, -1);
  EXPECT_CODE(step_1, Code::kNone);
  auto step_2 = co_await gateway.append(source_batch(5, 5, 4), 5, 3);
  EXPECT_CODE(step_2, Code::kNone);
  auto step_3 = co_await gateway.append(source_batch(10, 5, 5), 10, 4);
  EXPECT_CODE(step_3, Code::kNone);
  auto request = gateway.control_request(replicator::kMirrorTruncate);
  request.topics[0].partitions[0].offset = 12;  // the source's epoch 4 goes on to 12, ours ends at 10
  request.topics[0].partitions[0].epoch = 4;
  auto cut = co_await gateway.control(std::move(request));
  FARSHORE_CO_REQUIRE(cut.partitions.size() == 1);
  EXPECT_CODE(cut.partitions[0], Code::kNone);
  EXPECT_EQ(cut.partitions[0].end_offset, 10);
  EXPECT_EQ(cut.partitions[0].last_epoch, 4);
  EXPECT_EQ(cut.partitions[0].removed_from, 10);
  EXPECT_EQ(cut.partitions[0].removed_to, 15);
  EXPECT_LE(world.partition("west-1", 0)->ends().high_watermark, Offset(10));
  EXPECT_EQ(co_await gateway.open(), 0);
  auto step_4 = co_await gateway.append(source_batch(10, 2, 4), 10, 4);
  EXPECT_CODE(step_4, Code::kNone);
}
TEST_F(MirrorApi, ATruncationEndsAtTheCommonPoint) { world.run(truncation(world)); }

TEST_F(MirrorApi, AReadOnlyTopicRefusesWritesUntilTheFenceIsLifted) {
  auto fence = [](LinkWorld& w, bool read_only) -> Task<void> {
    RawGateway gateway(w);
    auto connected = co_await gateway.connect(LinkWorld::endpoint("east-1"));
    FARSHORE_CO_REQUIRE(connected);
    gateway.topic_id = w.source_id();
    auto request = gateway.control_request(replicator::kMirrorSetReadOnly);
    request.topics[0].partitions[0].read_only = read_only;
    auto done = co_await gateway.control(std::move(request));
    EXPECT_CODE(done, Code::kNone);
    int16_t code = co_await produce_to(w, "east-1");
    EXPECT_EQ(code != 0, read_only) << code;
  };
  world.run(fence(world, true));
  world.run(fence(world, false));
}

TEST_F(MirrorApi, DigestsOfBothEndsAgreeAndNameTheRangeThatDiffers) {
  auto digests = [](LinkWorld& w, std::string host, TopicId id,
                    std::vector<kafka::MirrorControlResponse::RangeDigest>* out) -> Task<void> {
    RawGateway gateway(w);
    auto connected = co_await gateway.connect(LinkWorld::endpoint(host));
    FARSHORE_CO_REQUIRE(connected);
    gateway.topic_id = id;
    auto request = gateway.control_request(replicator::kMirrorDigest);
    request.topics[0].partitions[0].offset = 0;
    request.topics[0].partitions[0].end_offset = 20;
    request.topics[0].partitions[0].digest_ranges = 4;
    auto done = co_await gateway.control(std::move(request));
    FARSHORE_CO_REQUIRE(done.partitions.size() == 1 && done.partitions[0].error_code == 0);
    *out = done.partitions[0].digests;
  };
  for (int i = 0; i < 20; ++i) {
    bool done = false;
    world.run(world.produce(0, 1, "value " + std::to_string(i), &done));
    ASSERT_TRUE(done);
  }
  world.start_gateway();
  ASSERT_TRUE(world.until([this] { return world.in_sync(); }, seconds(30)));
  std::vector<kafka::MirrorControlResponse::RangeDigest> east, west;
  world.run(digests(world, "east-1", world.source_id(), &east));
  world.run(digests(world, "west-1", world.mirror_id(), &west));
  ASSERT_FALSE(east.empty());
  EXPECT_EQ(east, west);
  int64_t batches = 0;
  for (const auto& range : east) {
    batches += range.batches;
    EXPECT_FALSE(range.digest.empty());
  }
  EXPECT_EQ(batches, 20);
}

Task<void> link_state(LinkWorld& world) {
  TestClient client(world.client());
  FARSHORE_CO_REQUIRE(co_await client.connect(LinkWorld::endpoint("west-1")));
  auto bytes = [](std::string_view text) {
    ConstBytes view = as_bytes(text);
    return kafka::Bytes(view.begin(), view.end());
  };
  auto put = [&](std::string_view key, std::string_view value, int64_t revision) {
    kafka::LinkStateRequest request;
    request.timeout_ms = 10000;
    request.op = 1;
    auto& compare = request.compares.emplace_back();
    compare.key = bytes(key);
    compare.mod_revision = revision;
    auto& change = request.changes.emplace_back();
    change.key = bytes(key);
    change.value = bytes(value);
    return request;
  };
  auto request = put("link/a", "one", 0);
  auto first = co_await client.call(std::move(request), 0);
  FARSHORE_CO_REQUIRE(first);
  EXPECT_TRUE(first->succeeded);
  request = put("link/a", "two", 0);
  auto lost = co_await client.call(std::move(request), 0);
  FARSHORE_CO_REQUIRE(lost);
  EXPECT_FALSE(lost->succeeded);
  FARSHORE_CO_REQUIRE(lost->entries.size() == 1);
  EXPECT_EQ(lost->entries[0].value, bytes("one"));
  request = put("link/a", "two", lost->entries[0].mod_revision);
  auto second = co_await client.call(std::move(request), 0);
  FARSHORE_CO_REQUIRE(second);
  EXPECT_TRUE(second->succeeded);
  request = put("topic/orders", "mine", 0);
  auto foreign = co_await client.call(std::move(request), 0);
  FARSHORE_CO_REQUIRE(foreign);
  EXPECT_EQ(foreign->error_code, wire_code(Code::kInvalidRequest));
  kafka::LinkStateRequest range;
  range.timeout_ms = 10000;
  range.key = bytes("link/");
  range.end_key = bytes("link0");
  auto all = co_await client.call(std::move(range), 0);
  FARSHORE_CO_REQUIRE(all && all->entries.size() == 1);
  EXPECT_EQ(all->entries[0].value, bytes("two"));
}
TEST_F(MirrorApi, LinksAreKeptWithCompareAndSetUnderTheirPrefixOnly) { world.run(link_state(world)); }

}  // namespace
}  // namespace farshore::broker
