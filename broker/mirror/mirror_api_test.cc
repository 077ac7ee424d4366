// The private mirror APIs on the wire: only one writer, and the refusals.
#include <gtest/gtest.h>

#include "broker/mirror/digest.h"
#include "broker/mirror/testing/raw_gateway.h"
#include "proto/kafka/messages/link_state.h"
#include "proto/link/link_metastore.h"

namespace farshore::broker {
namespace {

using Code = kafka::ErrorCode;
using Batch = std::vector<std::byte>;

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
TEST_F(MirrorApi, AppendThatDoesNotContinueTheMirrorIsRefused) { world.run(appends_compare(world)); }

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
  auto cut = first.control_request(MirrorOperation::kTruncate);
  cut.topics[0].partitions[0].offset = 0;
  auto refused = co_await first.control(std::move(cut));
  FARSHORE_CO_REQUIRE(refused.partitions.size() == 1);
  EXPECT_CODE(refused.partitions[0], Code::kFencedLeaderEpoch);
  EXPECT_EQ(refused.partitions[0].end_offset, 1);
}
TEST_F(MirrorApi, NewSessionEndsTheOlderOnes) { world.run(sessions_end(world)); }

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
TEST_F(MirrorApi, LowerLinkEpochIsFenced) { world.run(epochs_fence(world)); }

TEST_F(MirrorApi, LinkEpochSurvivesAKillOfTheTarget) {
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
  auto request = confused.control_request(MirrorOperation::kOpen);
  request.topics[0].source_topic_id = TopicId{{4}};
  auto other = co_await confused.control(std::move(request));
  EXPECT_CODE(other, Code::kInconsistentTopicId);
}
TEST_F(MirrorApi, AnotherLinkAnotherTopicOrAnotherSourceIsRefused) { world.run(wrong_owner(world)); }

Task<void> creation(LinkWorld& world) {
  RawGateway gateway(world);
  FARSHORE_CO_REQUIRE(co_await gateway.ready());
  auto create = [&](std::string name, std::string source_cluster, std::vector<std::string> provenance) {
    auto request = gateway.control_request(MirrorOperation::kCreateTopic);
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
  request.topics[0].num_partitions = LinkWorld::kPartitions + 2;
  auto grown = co_await gateway.control(std::move(request));
  EXPECT_CODE(grown, Code::kNone);
  EXPECT_EQ(world.broker("west-1").image()->topic("orders")->partitions.size(),
            static_cast<size_t>(LinkWorld::kPartitions + 2));
  EXPECT_NE(world.mirror_id(), world.source_id());
}
TEST_F(MirrorApi, MirrorIsCreatedOnceAndNeverOfItsOwnCluster) { world.run(creation(world)); }

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
  auto request = gateway.control_request(MirrorOperation::kTruncate);
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
TEST_F(MirrorApi, TruncationEndsAtTheCommonPoint) { world.run(truncation(world)); }

// An empty mirror was set to 20, where the source has a batch that begins at 15.
Task<void> truncation_below_the_start(LinkWorld& world) {
  RawGateway gateway(world);
  FARSHORE_CO_REQUIRE(co_await gateway.ready());
  EXPECT_EQ(co_await gateway.open(), 0);
  auto set = gateway.control_request(MirrorOperation::kAdvanceLogStart);
  set.topics[0].partitions[0].offset = 20;
  auto empty = co_await gateway.control(std::move(set));
  FARSHORE_CO_REQUIRE(empty.partitions.size() == 1);
  EXPECT_CODE(empty.partitions[0], Code::kNone);
  EXPECT_EQ(empty.partitions[0].end_offset, 20);
  auto request = gateway.control_request(MirrorOperation::kTruncate);
  request.topics[0].partitions[0].offset = 15;
  request.topics[0].partitions[0].epoch = 4;
  auto cut = co_await gateway.control(std::move(request));
  FARSHORE_CO_REQUIRE(cut.partitions.size() == 1);
  EXPECT_CODE(cut.partitions[0], Code::kNone);
  EXPECT_EQ(cut.partitions[0].end_offset, 15);
  EXPECT_EQ(cut.partitions[0].removed_from, -1) << "nothing was there";
  EXPECT_EQ(co_await gateway.open(), 0);
  auto whole = co_await gateway.append(source_batch(15, 10, 4), 15, -1);
  EXPECT_CODE(whole, Code::kNone);
  EXPECT_EQ(whole.end_offset, 25);
}
TEST_F(MirrorApi, TruncationBelowTheLogStartEmptiesTheMirror) { world.run(truncation_below_the_start(world)); }

TEST_F(MirrorApi, ReadOnlyTopicRefusesWritesUntilTheFenceIsLifted) {
  auto fence = [](LinkWorld& w, bool read_only) -> Task<void> {
    RawGateway gateway(w);
    auto connected = co_await gateway.connect(LinkWorld::endpoint("east-1"));
    FARSHORE_CO_REQUIRE(connected);
    gateway.topic_id = w.source_id();
    auto request = gateway.control_request(MirrorOperation::kSetReadOnly);
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
    auto request = gateway.control_request(MirrorOperation::kDigest);
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
    request.op = wire_value(LinkMetastoreOperation::kTxn);
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
TEST_F(MirrorApi, LinkStateWritesWithCompareAndSetUnderItsPrefixOnly) { world.run(link_state(world)); }

Task<void> digest_too_late(Env& env, PartitionPtr partition, Status& result) {
  auto digests = co_await digest_ranges(env, partition->log(), Offset(0), Offset(3), 1, env.in(Duration::zero()));
  result = digests ? ok() : Status(digests.error());
}

TEST_F(MirrorApi, DigestThatNobodyWaitsForEnds) {
  auto fill = [](LinkWorld& w) -> Task<void> {
    RawGateway gateway(w);
    FARSHORE_CO_REQUIRE(co_await gateway.ready());
    EXPECT_EQ(co_await gateway.open(), 0);
    auto appended = co_await gateway.append(source_batch(0, 3, 3), 0, -1);
    EXPECT_CODE(appended, Code::kNone);
  };
  world.run(fill(world));
  Status result;
  world.run(digest_too_late(world.broker_env("west-1"), world.partition("west-1", 0), result));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kTimedOut);
}

}  // namespace
}  // namespace farshore::broker
