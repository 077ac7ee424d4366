// What is shown of a mirror that is not being fetched: unknown is not zero.
#include "tests/life/testing/life_world.h"

namespace farshore::life {
namespace {

class LinkFigures : public LifeWorld {
 public:
  void start(const std::vector<std::string>& topics) {
    start_broker(kEast);
    start_broker(kWest);
    start_gateway();
    for (const auto& topic : topics) {
      create(kEast, topic);
      produce(kEast, topic, 100);
    }
    link();
    for (const auto& topic : topics) ASSERT_TRUE(until([&] { return mirrored(topic); }));
  }
};

TEST_F(LinkFigures, GatewayThatStartsWhileItsSourceIsDownKnowsNoLag) {
  start({"t"});
  kill_gateway();
  produce(kEast, "t", 40);
  kill_broker(kEast);
  start_gateway();
  for (int s = 0; s < 20; ++s) {
    world().run_for(seconds(1));
    const auto shown = mirror("t");
    if (!shown.has_promotion() && shown.state().empty()) continue;  // not adopted yet
    EXPECT_EQ(shown.partitions_size(), 1);
    EXPECT_EQ(shown.lag_records(), -1) << shown.DebugString();
    EXPECT_EQ(shown.lag_ms_max(), -1);
    EXPECT_EQ(describe().last_source_contact_ms_ago(), -1);
    EXPECT_EQ(describe().lag_records(), -1);
  }
  EXPECT_EQ(state("t"), "SOURCE_UNAVAILABLE");
  EXPECT_EQ(mirror("t").partitions(0).mirrored_end_offset(), 100) << "what the target has is known";
}

TEST_F(LinkFigures, FailoverOfAPausedTopicSaysHowLongItWasBlind) {
  start({"paused", "other"});
  EXPECT_TRUE(pause("paused", true));
  world().run_for(seconds(1));  // the answer to the last fetch has come
  produce(kEast, "paused", 5000);
  for (int s = 0; s < 12; ++s) {
    produce(kEast, "other", 1);
    world().run_for(seconds(1));
  }
  EXPECT_EQ(mirror("paused").lag_records(), -1) << "nobody has looked for 12 seconds";
  EXPECT_GE(mirror("paused").partitions(0).last_contact_ms_ago(), 11000);
  EXPECT_LT(mirror("other").partitions(0).last_contact_ms_ago(), 2000);
  kill_broker(kEast);
  const auto ended = failover("paused");
  ASSERT_TRUE(ended.error().empty()) << ended.error();
  EXPECT_GE(ended.mirror().promotion().partitions(0).blind_window_ms(), 11000);
  const std::string before = ended.mirror().promotion().partitions(0).DebugString();
  start_gateway();
  ASSERT_TRUE(until([&] { return mirror("paused").has_promotion(); }));
  EXPECT_EQ(mirror("paused").promotion().partitions(0).DebugString(), before)
      << "another gateway gives the same report";
}

TEST_F(LinkFigures, LagOfASourceThatIsDownIsALowerBoundOrUnknown) {
  start({"t"});
  kill_broker(kEast);
  world().run_for(seconds(15));
  EXPECT_EQ(state("t"), "SOURCE_UNAVAILABLE");
  EXPECT_EQ(mirror("t").lag_records(), -1);
  EXPECT_EQ(mirror("t").lag_unknown_partitions(), 1);
  EXPECT_EQ(mirror("t").partitions(0).source_high_watermark(), 100) << "the last one that was seen";
}

TEST_F(LinkFigures, VerifySaysWhatNobodyMirrors) {
  start({"t"});
  auto rows = verify("t");
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_TRUE(rows[0].equal());
  EXPECT_EQ(rows[0].to_offset(), 100);
  delete_topic(kWest, "t");
  ASSERT_TRUE(until([&] { return state("t") == "FAILED"; }));
  rows = verify("t");
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_FALSE(rows[0].equal());
  EXPECT_NE(rows[0].error().find("nothing is mirrored"), std::string::npos) << rows[0].error();
}

TEST_F(LinkFigures, VerifyOfAHealthyMirrorAgreesAfterTheSourceCompacted) {
  start_broker(kEast, {{"log.cleaner.backoff.ms", "500"}});
  start_broker(kWest);
  start_gateway();
  create(kEast, "t", 1,
         {{"cleanup.policy", "compact"}, {"segment.bytes", "20000"}, {"min.cleanable.dirty.ratio", "0.01"}});
  link();
  for (int n = 0; n < 200; ++n) produce(kEast, "t", 10, 5);
  ASSERT_TRUE(until([&] { return mirrored("t"); }));
  ASSERT_TRUE(until([&] { return size_bytes(kEast, "t") * 3 < size_bytes(kWest, "t"); }));
  auto rows = verify("t");
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_TRUE(rows[0].error().empty()) << rows[0].error();
  EXPECT_TRUE(rows[0].equal() || rows[0].not_compared()) << rows[0].DebugString();
  EXPECT_EQ(rows[0].first_difference(), -1);
  EXPECT_NE(rows[0].note().find("compacts"), std::string::npos);
  // The topic is not compacted any more: what it has lost before is still no difference.
  configure(kEast, "t", "cleanup.policy", "delete");
  produce(kEast, "t", 10);
  ASSERT_TRUE(until([&] { return mirrored("t") && ends(kWest, "t").end == 2010; }));
  rows = verify("t");
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_TRUE(rows[0].error().empty()) << rows[0].error();
  EXPECT_TRUE(rows[0].equal()) << rows[0].DebugString();
  EXPECT_EQ(rows[0].first_difference(), -1);
}

TEST_F(LinkFigures, LossIsUnknownToAGatewayThatNeverHeardOfTheSource) {
  start({"t"});
  EXPECT_TRUE(pause("t", true));
  produce(kEast, "t", 40);
  kill_gateway();
  kill_broker(kEast);
  start_gateway();
  ASSERT_TRUE(until([&] { return state("t") == "PAUSED"; }));
  const auto ended = failover("t");
  ASSERT_EQ(ended.error(), "");
  EXPECT_EQ(ended.mirror().promotion().partitions(0).lost_at_least_ms(), -1) << ended.DebugString();
  start_gateway();
  ASSERT_TRUE(until([&] { return mirror("t").has_promotion(); }));
  EXPECT_EQ(mirror("t").promotion().partitions(0).lost_at_least_ms(), -1) << "the report says it, too";
}

TEST_F(LinkFigures, VerifyOfAnEndedMirrorThatHadNothingDoesNotSayEqual) {
  start({"other"});
  create(kEast, "t");
  ASSERT_TRUE(until([&] { return mirrored("t"); }));
  EXPECT_TRUE(pause("t", true));
  world().run_for(seconds(2));
  produce(kEast, "t", 50);
  ASSERT_EQ(failover("t").error(), "");
  auto rows = verify("t");
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_FALSE(rows[0].equal()) << rows[0].DebugString();
  EXPECT_TRUE(rows[0].not_compared());
  EXPECT_NE(rows[0].note().find("the mirror ended at offset 0, the source has [0, 50)"), std::string::npos)
      << rows[0].DebugString();
  ASSERT_EQ(failover("other").error(), "");
  rows = verify("other");
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_TRUE(rows[0].equal()) << rows[0].DebugString();
}

}  // namespace
}  // namespace farshore::life
