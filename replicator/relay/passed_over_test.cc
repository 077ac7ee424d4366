// Batches that the target never gets: transaction markers of the source (a relayed topic that is relayed again has one
// for each takeover), and batches that the target always refuses.
#include "replicator/relay/testing/relay_world.h"

namespace farshore::replicator {
namespace {

constexpr int64_t kNowMs = 1'780'000'000'000;
constexpr int16_t kProduce = 0;  // its API key

void append_marker(SourcePartition& source) {
  BatchBuilder builder;
  builder.base_offset(source.end).leader_epoch(3).producer(55, 1, -1);
  builder.add_marker(ControlType::kAbort, 0, kNowMs);
  source.add(builder);
}

TEST(RelayPassedOver, MarkersOfTheSourceArePassedOverAndRecorded) {
  RelayWorld world(1);
  SourcePartition& source = world.source[0];
  append_marker(source);
  for (int i = 0; i < 3; ++i) source.append(2, 3, kNowMs);
  append_marker(source);
  append_marker(source);
  for (int i = 0; i < 3; ++i) source.append(2, 3, kNowMs);
  append_marker(source);
  RelayGateway::Options options;
  options.claim_chance = 0;  // nothing but anchors is written down
  world.start_gateway(options);
  ASSERT_TRUE(world.until_caught_up()) << "the lag is 0 behind the last marker, too";
  EXPECT_EQ(world.wrong(), "");
  EXPECT_EQ(world.target().values().size(), 12u);
  const auto& anchors = world.down.claims[RelayGateway::key_of(0)].anchors;
  ASSERT_FALSE(anchors.empty());
  EXPECT_EQ(newest_anchor(anchors)->source, SourceOffset(source.end));
  // A later gateway stands behind the marker at once, and nothing is relayed twice.
  world.kill_gateways();
  const int64_t end = world.target().end;
  world.start_gateway(options);
  ASSERT_TRUE(world.until_caught_up());
  EXPECT_EQ(world.gateway().pump(0).progress(world.gateway().env.now()).sent_end, SourceOffset(source.end));
  EXPECT_EQ(world.target().end, end + 1) << "the marker of its takeover";
  source.append(2, 3, kNowMs);
  ASSERT_TRUE(world.until_caught_up());
  EXPECT_EQ(world.wrong(), "");
}

TEST(RelayPassedOver, EmptyBatchOfACompactedSourceIsPassedOver) {
  RelayWorld world(2);
  SourcePartition& source = world.source[0];
  source.append(2, 3, kNowMs);
  BatchHeader empty;  // as the cleaner leaves it for the producer's sake
  empty.base_offset = source.end;
  empty.last_offset_delta = 4;
  empty.partition_leader_epoch = 3;
  BatchBuilder builder;
  builder.like(empty);
  source.add(builder);
  source.append(2, 3, kNowMs);
  world.start_gateway();
  ASSERT_TRUE(world.until_caught_up());
  EXPECT_EQ(world.wrong(), "");
}

TEST(RelayPassedOver, BatchThatTheTargetRefusesAgainAndAgainFailsThePartition) {
  RelayWorld world(3);
  world.source[0].append(2, 3, kNowMs);
  world.start_gateway();
  ASSERT_TRUE(world.until_caught_up());
  world.kafka.fate = [&world](int16_t key) {
    if (key == kProduce) world.kafka.refuse_next_produce = kafka::ErrorCode::kCorruptMessage;
    return FakeKafka::Fate::kAnswer;
  };
  const int before = world.kafka.requests[kProduce];
  world.source[0].append(2, 3, kNowMs);
  ASSERT_TRUE(world.until([&] { return !world.gateway().failures.empty(); }));
  const Error& why = world.gateway().failures[0];
  EXPECT_EQ(why.code, ErrorCode::kInvalidArgument);
  EXPECT_NE(why.detail.find("source offset 2 "), std::string::npos) << why.detail;
  EXPECT_NE(why.detail.find("4 times in a row"), std::string::npos) << why.detail;
  EXPECT_NE(why.detail.find("CORRUPT_MESSAGE"), std::string::npos) << why.detail;
  EXPECT_EQ(world.kafka.requests[kProduce] - before, 4);
  const int64_t end = world.target().end;
  world.world.run_for(seconds(60));
  EXPECT_EQ(world.target().end, end);
  // The target takes it now, and an operator resumes the topic.
  world.kafka.fate = nullptr;
  world.gateway().failures.clear();
  world.gateway().pump(0).restart();
  ASSERT_TRUE(world.until_caught_up());
  EXPECT_EQ(world.wrong(), "");
}

TEST(RelayPassedOver, TargetThatCannotWriteForAWhileFailsNoPartition) {
  RelayWorld world(4);
  world.source[0].append(2, 3, kNowMs);
  world.start_gateway();
  ASSERT_TRUE(world.until_caught_up());
  world.kafka.fate = [&world](int16_t key) {
    if (key == kProduce) world.kafka.refuse_next_produce = kafka::ErrorCode::kNotEnoughReplicas;
    return FakeKafka::Fate::kAnswer;
  };
  world.source[0].append(2, 3, kNowMs);
  world.world.run_for(seconds(60));
  EXPECT_TRUE(world.gateway().failures.empty());
  world.kafka.fate = nullptr;
  world.kafka.refuse_next_produce.reset();
  ASSERT_TRUE(world.until_caught_up());
  EXPECT_EQ(world.wrong(), "");
}

TEST(RelayPassedOver, MapThatCannotBeWrittenTakesThePartitionOverAgain) {
  RelayWorld world(5);
  world.source[0].append(2, 3, kNowMs);
  world.start_gateway();
  ASSERT_TRUE(world.until_caught_up());
  const int markers = world.kafka.markers;
  world.gateway().journal.ask_for_takeover = Error(ErrorCode::kUnavailable, "in doubt");
  ASSERT_TRUE(world.until([&] { return world.kafka.markers > markers && world.gateway().caught_up(); }));
  EXPECT_TRUE(world.gateway().failures.empty());
  EXPECT_EQ(world.wrong(), "");
}

TEST(RelayPassedOver, RefusedBatchIsGivenUpByTheOperatorsWord) {
  RelayWorld world(6);
  world.source[0].append(2, 3, kNowMs);
  world.source[0].append(20, 3, kNowMs);  // too large for the target
  world.source[0].append(2, 3, kNowMs);
  world.target().batch_bytes_max = 200;
  world.start_gateway();
  ASSERT_TRUE(world.until([&] { return !world.gateway().failures.empty(); }));
  for (int i = 2; i < 22; ++i) world.source[0].values.erase(i);  // is not to arrive
  world.gateway().failures.clear();
  world.gateway().sink.go_on_at(RelayGateway::key_of(0), {SourceOffset(22), true});
  world.gateway().pump(0).restart();
  ASSERT_TRUE(world.until_caught_up());
  EXPECT_EQ(world.wrong(), "");
  // Durable: a gateway that knows nothing of the word stands behind the gap.
  world.kill_gateways();
  world.source[0].append(2, 3, kNowMs);
  world.start_gateway();
  ASSERT_TRUE(world.until_caught_up());
  EXPECT_EQ(world.wrong(), "");
}

TEST(RelayPassedOver, WordIsKeptBeforeTheFirstBatchBehindTheGapIsRelayed) {
  RelayWorld world(7);
  world.source[0].append(2, 3, kNowMs);
  world.source[0].append(20, 3, kNowMs);
  world.target().batch_bytes_max = 200;
  world.start_gateway();
  ASSERT_TRUE(world.until([&] { return !world.gateway().failures.empty(); }));
  for (int i = 2; i < 22; ++i) world.source[0].values.erase(i);
  world.gateway().failures.clear();
  world.gateway().sink.go_on_at(RelayGateway::key_of(0), {SourceOffset(22), true});
  world.gateway().pump(0).restart();
  ASSERT_TRUE(world.until_caught_up());
  world.kill_gateways();
  world.start_gateway();
  ASSERT_TRUE(world.until_caught_up()) << "it does not try the refused batch again";
  EXPECT_EQ(world.wrong(), "");
}

TEST(RelayPassedOver, PartitionWithoutEvidenceGoesOnByTheOperatorsWord) {
  RelayWorld world(8);
  for (int i = 0; i < 10; ++i) world.source[0].append(2, 3, kNowMs);
  RelayGateway::Options options;
  options.claim_chance = 0;  // nothing was written down but the anchor
  world.start_gateway(options);
  ASSERT_TRUE(world.until_caught_up());
  world.kill_gateways();
  world.target().delete_up_to(world.target().end - 3);
  world.target().producers.clear();
  world.down.claims[RelayGateway::key_of(0)].anchors.clear();  // the batches that are left are explained by nothing
  world.down.claims[RelayGateway::key_of(0)].last_run = world.down.told[RelayGateway::key_of(0)].front();
  world.start_gateway(options);
  ASSERT_TRUE(world.until([&] { return !world.gateway().failures.empty(); }));
  ASSERT_EQ(world.gateway().failures[0].code, ErrorCode::kOutOfRange);
  for (int restarts = 0; restarts < 2; ++restarts) {
    world.gateway().failures.clear();
    if (restarts == 0) {
      world.gateway().sink.go_on_at(RelayGateway::key_of(0), {SourceOffset(20), true});
      world.gateway().pump(0).restart();
    } else {
      world.kill_gateways();
      world.start_gateway(options);
    }
    world.source[0].append(2, 3, kNowMs);
    ASSERT_TRUE(world.until_caught_up()) << "restarts: " << restarts;
    EXPECT_EQ(world.target().values().rbegin()->second, "record " + std::to_string(21 + 2 * restarts));
  }
}

}  // namespace
}  // namespace farshore::replicator
