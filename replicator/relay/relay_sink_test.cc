#include "replicator/relay/relay_sink.h"

#include "replicator/relay/testing/relay_world.h"

namespace farshore::replicator {
namespace {

constexpr int64_t kNowMs = 1'780'000'000'000;
constexpr int16_t kProduce = 0;  // its API key

std::string text_of(const std::vector<Error>& errors) {
  std::string all;
  for (const Error& each : errors) all += each.to_string() + "\n";
  return all;
}

TEST(RelaySink, RelayedRecordsArriveOnceAndInOrder) {
  RelayWorld world(1, 2);
  for (int i = 0; i < 40; ++i) world.source[i % 2].append(1 + i % 5, 3, kNowMs);
  world.start_gateway();
  ASSERT_TRUE(world.until_caught_up()) << text_of(world.gateway().failures);
  EXPECT_EQ(world.wrong(), "");
  // Of two partitions, and of the log of record for each shard.
  const bool one_shard = relay_shard_id(RelayGateway::key_of(0)) == relay_shard_id(RelayGateway::key_of(1));
  EXPECT_EQ(world.kafka.markers, one_shard ? 3 : 4);
  EXPECT_EQ(world.down.anchors, 2);
  for (int i = 0; i < 10; ++i) world.source[0].append(2, 3, kNowMs);
  ASSERT_TRUE(world.until_caught_up());
  EXPECT_EQ(world.wrong(), "");
  EXPECT_EQ(world.down.anchors, 2);
}

TEST(RelaySink, NewGatewayContinuesWhereTheLastOneStopped) {
  RelayWorld world(2);
  for (int i = 0; i < 60; ++i) world.source[0].append(3, 3, kNowMs);
  world.start_gateway();
  ASSERT_TRUE(world.until([&] { return world.target().end > 70; }));
  world.kill_gateways();
  world.start_gateway();
  ASSERT_TRUE(world.until_caught_up()) << text_of(world.gateway().failures);
  EXPECT_EQ(world.wrong(), "");
}

TEST(RelaySink, SourceGapAndNewEpochEachBeginAnAnchor) {
  RelayWorld world(3);
  world.source[0].append(3, 3, kNowMs);
  world.source[0].append(3, 3, kNowMs, 10);  // compacted at the source
  world.source[0].append(3, 5, kNowMs);
  world.source[0].append(3, 5, kNowMs);
  world.start_gateway();
  ASSERT_TRUE(world.until_caught_up()) << text_of(world.gateway().failures);
  EXPECT_EQ(world.wrong(), "");
  const RelayClaims& claims = world.down.claims[RelayGateway::key_of(0)];
  ASSERT_EQ(claims.anchors.size(), 3u);
  EXPECT_EQ(claims.anchors[1].source, SourceOffset(13));
  EXPECT_EQ(claims.anchors[1].sequence, 3);
  EXPECT_EQ(claims.anchors[2].source_epoch, LogEpoch(5));
  EXPECT_EQ(claims.anchors[2].target_from, TargetOffset(world.target().end - 6));
}

TEST(RelaySink, AnchorCoversALimitedNumberOfRecords) {
  RelayWorld world(4);
  for (int i = 0; i < 10; ++i) world.source[0].append(2, 3, kNowMs);
  RelayGateway::Options options;
  options.sink.anchor_records_max = 5;
  options.sink.merged_bytes_max = 0;
  world.start_gateway(options);
  ASSERT_TRUE(world.until_caught_up());
  EXPECT_EQ(world.wrong(), "");
  EXPECT_EQ(world.down.anchors, 5);
}

TEST(RelaySink, SmallBatchesThatWaitTravelInFewRequests) {
  RelayWorld world(21);
  for (int i = 0; i < 2000; ++i) world.source[0].append(1, 3, kNowMs);
  RelayGateway::Options options;
  options.source_batches_max = 200;
  world.start_gateway(options);
  ASSERT_TRUE(world.until_caught_up()) << text_of(world.gateway().failures);
  EXPECT_EQ(world.wrong(), "");
  EXPECT_LT(world.kafka.requests[kProduce], 2000 / 20);
  EXPECT_EQ(world.down.anchors, 1) << "merged batches follow each other like any others";
}

TEST(RelaySink, RefusedMergedBatchGoesInItsPartsSoThatTheBadOneIsNamed) {
  RelayWorld world(22);
  for (int i = 0; i < 5; ++i) world.source[0].append(1, 3, kNowMs);
  world.source[0].append(50, 3, kNowMs);
  for (int i = 0; i < 5; ++i) world.source[0].append(1, 3, kNowMs);
  world.target().batch_bytes_max = 300;
  RelayGateway::Options options;
  options.source_batches_max = 200;
  world.start_gateway(options);
  ASSERT_TRUE(world.until([&] { return !world.gateway().failures.empty(); }));
  EXPECT_NE(world.gateway().failures[0].detail.find("source offset 5 ("), std::string::npos)
      << text_of(world.gateway().failures);
  EXPECT_EQ(world.target().values().size(), 5u);
  world.target().batch_bytes_max = 1 << 20;
  world.gateway().failures.clear();
  world.gateway().pump(0).restart();
  ASSERT_TRUE(world.until_caught_up()) << text_of(world.gateway().failures);
  EXPECT_EQ(world.wrong(), "");
}

TEST(RelaySink, TargetWithoutTopicIdsIsAskedByTopicName) {
  RelayWorld world(5);
  world.kafka.version_max[0] = 12;
  for (int i = 0; i < 5; ++i) world.source[0].append(2, 3, kNowMs);
  world.start_gateway();
  ASSERT_TRUE(world.until_caught_up());
  EXPECT_EQ(world.wrong(), "");
}

TEST(RelaySink, LostAcknowledgementIsFoundByATakeoverAndNotRetried) {
  RelayWorld world(6);
  for (int i = 0; i < 30; ++i) world.source[0].append(2, 3, kNowMs - 3 * 86'400'000LL);
  world.kafka.chances.drop_ack = 1;
  world.start_gateway();
  ASSERT_TRUE(world.until([&] { return world.kafka.requests[kProduce] > 0; }));
  world.kafka.chances.drop_ack = 0;
  // The sweep: a retry by sequence would now be appended a second time.
  world.target().expire_older_than(kNowMs - 86'400'000LL);
  ASSERT_TRUE(world.until_caught_up()) << text_of(world.gateway().failures);
  EXPECT_EQ(world.wrong(), "");
}

TEST(RelaySink, StoppedGatewayAppendsNothingAfterAnotherTookOver) {
  RelayWorld world(7);
  for (int i = 0; i < 80; ++i) world.source[0].append(2, 3, kNowMs);
  RelayGateway& old = world.start_gateway();
  ASSERT_TRUE(world.until([&] { return world.target().end > 20; }));
  world.kafka_env.pause();  // what the old one sends stays in the socket
  world.world.run_for(seconds(1));
  old.env.pause();
  RelayGateway& other = world.start_gateway();
  world.world.run_for(seconds(3));
  world.kafka_env.resume();
  ASSERT_TRUE(world.until_caught_up()) << text_of(other.failures) << text_of(other.open_errors);
  old.env.resume();
  ASSERT_TRUE(world.until([&] { return !old.failures.empty() || old.pump(0).phase() == PumpPhase::kRunning; }));
  world.world.run_for(seconds(5));
  EXPECT_EQ(world.wrong(), "");
}

TEST(RelaySink, FencedGatewayStopsForGood) {
  RelayWorld world(8);
  for (int i = 0; i < 10; ++i) world.source[0].append(2, 3, kNowMs);
  RelayGateway& old = world.start_gateway();
  ASSERT_TRUE(world.until_caught_up());
  RelayGateway& other = world.start_gateway();
  ASSERT_TRUE(world.until_caught_up());
  for (int i = 0; i < 10; ++i) world.source[0].append(2, 3, kNowMs);
  ASSERT_TRUE(world.until([&] { return !old.failures.empty(); }));
  EXPECT_EQ(old.failures[0].code, ErrorCode::kFenced) << text_of(old.failures);
  ASSERT_TRUE(world.until_caught_up()) << text_of(other.failures);
  EXPECT_EQ(world.wrong(), "");
}

TEST(RelaySink, SuspendedProcessTakesOverBeforeItSends) {
  RelayWorld world(9);
  for (int i = 0; i < 10; ++i) world.source[0].append(2, 3, kNowMs);
  RelayGateway& gateway = world.start_gateway();
  ASSERT_TRUE(world.until_caught_up());
  const int markers = world.kafka.markers;
  gateway.env.pause();
  for (int i = 0; i < 10; ++i) world.source[0].append(2, 3, kNowMs);
  world.world.run_for(seconds(20));
  gateway.env.resume();
  ASSERT_TRUE(world.until_caught_up());
  EXPECT_EQ(world.kafka.markers, markers) << "20 s are not too long";
  gateway.env.pause();
  for (int i = 0; i < 10; ++i) world.source[0].append(2, 3, kNowMs);
  world.world.run_for(seconds(60));
  const int before = world.kafka.requests[kProduce];
  gateway.env.resume();
  ASSERT_TRUE(world.until([&] { return world.kafka.markers > markers; }));
  EXPECT_EQ(world.kafka.requests[kProduce], before);
  ASSERT_TRUE(world.until_caught_up());
  EXPECT_EQ(world.wrong(), "");
}

TEST(RelaySink, BatchThatCannotBeRelayedUnchangedFailsThePartitionAfterEarlierBatches) {
  struct Case {
    const char* word;
    std::function<void(BatchBuilder&)> make;
  };
  const Case cases[] = {{"transaction", [](BatchBuilder& b) { b.transactional().add(kNowMs, "k", "v"); }},
                        {"LogAppendTime", [](BatchBuilder& b) { b.log_append_time(kNowMs).add(kNowMs, "k", "v"); }},
                        {"compacted", [](BatchBuilder& b) { b.add(kNowMs, "k", "v").add_at(35, kNowMs, "k", "v"); }}};
  for (const Case& each : cases) {
    RelayWorld world(10);
    for (int i = 0; i < 10; ++i) world.source[0].append(3, 3, kNowMs);
    BatchBuilder builder;
    builder.base_offset(30).leader_epoch(3).producer(77, 1, 0);
    each.make(builder);
    world.source[0].add(builder);
    world.start_gateway();
    ASSERT_TRUE(world.until([&] { return !world.gateway().failures.empty(); })) << each.word;
    EXPECT_EQ(world.gateway().failures[0].code, ErrorCode::kUnsupported);
    EXPECT_NE(world.gateway().failures[0].detail.find(each.word), std::string::npos)
        << text_of(world.gateway().failures);
    EXPECT_EQ(world.target().values().size(), 30u);
    EXPECT_EQ(world.wrong(), "");
  }
}

TEST(RelaySink, RefusedBatchFailsThePartitionAndNamesBatchAndSetting) {
  RelayWorld world(11);
  world.target().batch_bytes_max = 200;
  for (int i = 0; i < 3; ++i) world.source[0].append(1, 3, kNowMs);
  world.source[0].append(20, 3, kNowMs);
  world.start_gateway();
  ASSERT_TRUE(world.until([&] { return !world.gateway().failures.empty(); }));
  const Error& why = world.gateway().failures[0];
  EXPECT_EQ(why.code, ErrorCode::kInvalidArgument);
  EXPECT_NE(why.detail.find("source offset 3 ("), std::string::npos) << why.detail;
  EXPECT_NE(why.detail.find("max.message.bytes"), std::string::npos) << why.detail;
  // Raised, and started again.
  world.target().batch_bytes_max = 1 << 20;
  world.gateway().failures.clear();
  world.gateway().pump(0).restart();
  ASSERT_TRUE(world.until_caught_up()) << text_of(world.gateway().failures);
  EXPECT_EQ(world.wrong(), "");
}

TEST(RelaySink, DuplicateSequenceIsNotASuccess) {
  RelayWorld world(12);
  for (int i = 0; i < 10; ++i) world.source[0].append(2, 3, kNowMs);
  world.kafka.refuse_next_produce = kafka::ErrorCode::kDuplicateSequenceNumber;
  world.start_gateway();
  ASSERT_TRUE(world.until_caught_up()) << text_of(world.gateway().failures);
  EXPECT_EQ(world.wrong(), "");
  EXPECT_GE(world.kafka.markers, 3) << "it was taken over anew";
}

TEST(RelaySink, TakeoverWithoutEvidenceFailsThePartitionWithTheRange) {
  RelayWorld world(13);
  for (int i = 0; i < 10; ++i) world.source[0].append(2, 3, kNowMs);
  RelayGateway::Options options;
  options.claim_chance = 0;  // nothing was written down but the anchor
  world.start_gateway(options);
  ASSERT_TRUE(world.until_caught_up());
  world.kill_gateways();
  world.target().delete_up_to(world.target().end);
  world.target().producers.clear();
  world.start_gateway(options);
  ASSERT_TRUE(world.until([&] { return !world.gateway().failures.empty(); }));
  const Error& why = world.gateway().failures[0];
  EXPECT_EQ(why.code, ErrorCode::kOutOfRange);
  EXPECT_NE(why.detail.find("source offsets from 0 to 20"), std::string::npos) << why.detail;
}

TEST(RelaySink, TakeoverContinuesFromTheBrokersProducerStateAlone) {
  RelayWorld world(14);
  for (int i = 0; i < 10; ++i) world.source[0].append(2, 3, kNowMs);
  RelayGateway::Options options;
  options.claim_chance = 0;
  world.start_gateway(options);
  ASSERT_TRUE(world.until_caught_up());
  world.kill_gateways();
  world.target().delete_up_to(world.target().end);
  for (int i = 0; i < 10; ++i) world.source[0].append(2, 3, kNowMs);
  world.start_gateway(options);
  ASSERT_TRUE(world.until_caught_up()) << text_of(world.gateway().failures);
  EXPECT_EQ(world.wrong(), "");
  EXPECT_EQ(world.target().values().size(), 20u);
}

TEST(RelaySink, UncleanElectionLowersTheClaimAndTheLostEndIsRelayedAgain) {
  RelayWorld world(15);
  for (int i = 0; i < 20; ++i) world.source[0].append(2, 3, kNowMs);
  RelayGateway::Options options;
  options.claim_chance = 1;
  world.start_gateway(options);
  ASSERT_TRUE(world.until_caught_up());
  world.kill_gateways();
  world.down.told.clear();  // of what was lost
  world.target().elect_unclean(world.target().end - 11);
  world.target().write_foreign(kNowMs);
  world.start_gateway(options);
  ASSERT_TRUE(world.until_caught_up()) << text_of(world.gateway().failures);
  EXPECT_EQ(world.gateway().journal.lowered, 1);
  EXPECT_EQ(world.wrong(), "");
}

TEST(RelaySink, RetentionAtTheSourceBeginsAnAnchorBehindTheGap) {
  RelayWorld world(16);
  for (int i = 0; i < 10; ++i) world.source[0].append(2, 3, kNowMs);
  world.source[0].log_start = 6;
  for (int i = 0; i < 6; ++i) world.source[0].values.erase(i);
  world.start_gateway();
  ASSERT_TRUE(world.until_caught_up()) << text_of(world.gateway().failures);
  EXPECT_EQ(world.wrong(), "");
  ASSERT_EQ(world.gateway().gaps.size(), 1u);
  EXPECT_EQ(world.gateway().gaps[0], std::make_pair(int64_t{0}, int64_t{6}));
  EXPECT_EQ(world.down.claims[RelayGateway::key_of(0)].anchors.at(0).source, SourceOffset(6));
}

TEST(RelaySink, AnchorWithoutAnAcknowledgementCausesATakeover) {
  RelayWorld world(17);
  for (int i = 0; i < 10; ++i) world.source[0].append(2, 3, kNowMs);
  world.start_gateway();
  world.gateway().journal.fail_anchors = 2;
  ASSERT_TRUE(world.until_caught_up()) << text_of(world.gateway().failures);
  EXPECT_EQ(world.wrong(), "");
  EXPECT_EQ(world.down.anchors, 3);
}

TEST(RelaySink, NewProducerIdWaitsForRequestsOfTheOldOne) {
  RelayWorld world(18);
  for (int i = 0; i < 10; ++i) world.source[0].append(2, 3, kNowMs);
  world.start_gateway();
  ASSERT_TRUE(world.until_caught_up());
  world.kill_gateways();
  world.kafka.transactional_ids.clear();  // expired
  const Duration began = world.world.now();
  for (int i = 0; i < 10; ++i) world.source[0].append(2, 3, kNowMs);
  world.start_gateway();
  ASSERT_TRUE(world.until_caught_up()) << text_of(world.gateway().failures);
  EXPECT_GE(world.world.now() - began, seconds(30));
  EXPECT_EQ(world.wrong(), "");
}

TEST(RelaySink, RecreatedTargetTopicIsRefused) {
  RelayWorld world(19);
  world.source[0].append(2, 3, kNowMs);
  world.start_gateway();
  world.kafka.topics[kRelayTopic].id.bytes[3] = 99;
  ASSERT_TRUE(world.until([&] { return !world.gateway().failures.empty(); }));
  EXPECT_EQ(world.gateway().failures[0].code, ErrorCode::kInvalidArgument) << text_of(world.gateway().failures);
}

TEST(RelaySink, PartitionThatTheTargetDoesNotKnowYetIsWaitedFor) {
  RelayWorld world(20);
  world.source[0].append(2, 3, kNowMs);
  world.start_gateway();
  auto topic = world.kafka.topics.extract(kRelayTopic);
  EXPECT_FALSE(world.until([&] { return !world.gateway().failures.empty(); }, seconds(5)))
      << text_of(world.gateway().failures);
  world.kafka.topics.insert(std::move(topic));
  ASSERT_TRUE(world.until_caught_up()) << text_of(world.gateway().failures);
  EXPECT_EQ(world.wrong(), "");
}

}  // namespace
}  // namespace farshore::replicator
