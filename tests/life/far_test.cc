// The source is far away: a round trip takes 100 ms. What is done for each topic one after the other takes as many
// round trips as there are topics.
#include "tests/life/testing/life_world.h"

namespace farshore::life {
namespace {

constexpr Duration kFar = milliseconds(100);

class FarLife : public LifeWorld {
 public:
  void start(int topics, Duration round_trip = kFar) {
    start_broker(kEast);
    start_broker(kWest);
    start_gateway();
    for (int i = 0; i < topics; ++i) create(kEast, name(i));
    set_round_trip("gateway", kEast, round_trip);
    topics_ = topics;
  }
  static std::string name(int i) { return "t" + std::to_string(1000 + i); }
  int count(const std::string& state) {
    int count = 0;
    const auto shown = status(kLink);
    if (!shown) return -1;
    for (const auto& mirror : shown->mirrors()) count += mirror.state() == state ? 1 : 0;
    return count;
  }
  // The words of the first message that is an error.
  static std::string error_of(const Promote& promote) {
    for (const auto& message : promote.messages)
      if (!message.error().empty()) return message.error();
    return "";
  }
  int topics_ = 0;
};

// A world of its own, in which a link of many topics is made.
class MadeLink : public FarLife {
 public:
  void TestBody() override {}
  Duration time(int topics, Duration round_trip) {
    start(topics, round_trip);
    const Duration before = now();
    link();
    EXPECT_TRUE(until([&] { return count("ACTIVE") == topics_; }));
    return now() - before;
  }
};

TEST(FarLinkLife, LinkOfManyTopicsIsMadeInSomeRoundTripsNotInOneForEachTopic) {
  const Duration near = MadeLink().time(250, milliseconds(1));
  const Duration far = MadeLink().time(250, kFar);
  EXPECT_LT(far - near, 30 * kFar);
}

TEST_F(FarLife, LinkIsMadeAlsoIfItsTopicsAreNotReadyBeforeTheCallerGoes) {
  start(3);
  set_round_trip("gateway", kWest, milliseconds(300));
  auto made = link_within(seconds(8), "*");
  ASSERT_TRUE(made) << made.error().to_string();
  ASSERT_EQ(made->warnings_size(), 1);
  EXPECT_NE(made->warnings(0).find("still being made"), std::string::npos) << made->warnings(0);
  EXPECT_TRUE(until([&] { return count("ACTIVE") == topics_; }));
}

TEST_F(FarLife, UnfenceOfManyTopicsTakesSomeRoundTripsAndPassesOverWhatIsDone) {
  start(120);
  link();
  ASSERT_TRUE(until([&] { return count("ACTIVE") == topics_; }));
  Promote promote;
  begin_promote("", minutes(2), promote);
  ASSERT_TRUE(until([&] { return promote.ended; }, minutes(3)));
  ASSERT_EQ(count("STOPPED"), topics_) << error_of(promote);
  ASSERT_NE(try_to_produce(kEast, name(0)), 0);
  Duration before = now();
  auto unfenced = all_mirrors("unfence");
  ASSERT_TRUE(unfenced) << unfenced.error().to_string();
  EXPECT_LT(now() - before, 15 * kFar);
  for (int i = 0; i < topics_; i += 7) EXPECT_EQ(try_to_produce(kEast, name(i)), 0) << name(i);
  before = now();
  unfenced = all_mirrors("unfence");
  ASSERT_TRUE(unfenced);
  EXPECT_NE(unfenced->plan(0).find("no fence"), std::string::npos) << unfenced->plan(0);
  EXPECT_LT(now() - before, 2 * kFar);
}

TEST_F(FarLife, PauseAndResumeOfAllTopicsAreOneWriteEach) {
  start(60);
  set_round_trip("gateway", kWest, kFar);
  link();
  ASSERT_TRUE(until([&] { return count("ACTIVE") == topics_; }));
  const Duration before = now();
  ASSERT_TRUE(all_mirrors("pause"));
  EXPECT_EQ(count("PAUSED"), topics_);
  ASSERT_TRUE(all_mirrors("resume"));
  EXPECT_EQ(count("ACTIVE"), topics_);
  EXPECT_LT(now() - before, 12 * kFar);
}

TEST_F(FarLife, PromoteWhoseSourceIsSilentEndsInTimeAndClaimsNoFenceThatNobodyConfirmed) {
  start(1);
  link();
  ASSERT_TRUE(until([&] { return mirrored(name(0)); }));
  world().net().partition("gateway", kEast);
  Promote promote;
  const Duration before = now();
  begin_promote(name(0), seconds(5), promote);
  ASSERT_TRUE(until([&] { return !mirror(name(0)).source_fence().empty(); }));
  EXPECT_NE(mirror(name(0)).source_fence().find("has not confirmed it"), std::string::npos);
  EXPECT_EQ(describe().fenced_source_topics(), 0);
  ASSERT_TRUE(until([&] { return promote.ended; }));
  EXPECT_LT(now() - before, seconds(10));
  EXPECT_NE(error_of(promote).find("given up in step fence-source"), std::string::npos) << error_of(promote);
  EXPECT_NE(error_of(promote).find("has not said whether it is fenced"), std::string::npos) << error_of(promote);
  for (const auto& message : promote.messages) EXPECT_EQ(message.step().find("from now on"), std::string::npos);
  world().net().heal();
  EXPECT_TRUE(until([&] { return mirror(name(0)).source_fence().empty() && mirrored(name(0)); }));
  EXPECT_EQ(try_to_produce(kEast, name(0)), 0);
}

// The end of a promote whose outcome this gateway could not learn.
class UndecidedEndLife : public FarLife {
 public:
  void start() {
    FarLife::start(0);
    create(kEast, "t");
    produce(kEast, "t", 10);
    link();
    ASSERT_TRUE(until([&] { return mirrored("t"); }));
  }
  // The target falls silent as soon as `now` is true, for so long that the promote gives up.
  void promote_while_target_falls_silent(const std::function<bool()>& now) {
    begin_promote("t", seconds(10), promote_);
    ASSERT_TRUE(until(now));
    world().net().partition("gateway", kWest);
    ASSERT_TRUE(until([&] { return promote_.ended; }));
    EXPECT_NE(error_of(promote_).find("asked again until it says"), std::string::npos) << error_of(promote_);
    EXPECT_NE(try_to_produce(kEast, "t"), 0) << "nobody knows whether the mirror has ended";
    EXPECT_NE(mirror("t").source_fence(), "");
    EXPECT_EQ(describe().fenced_source_topics(), 1);
    world().net().heal();
  }
  Promote promote_;
};

TEST_F(UndecidedEndLife, SourceTakesWritesAgainWhenTheTargetSaysThatItHasNotEndedTheMirror) {
  start();
  promote_while_target_falls_silent(
      [&] { return mirror("t").source_fence().find("until it is known") != std::string::npos; });
  EXPECT_TRUE(until([&] { return try_to_produce(kEast, "t") == 0; }, seconds(40)));
  EXPECT_TRUE(until([&] { return mirrored("t") && mirror("t").source_fence().empty(); }));
  EXPECT_EQ(describe().fenced_source_topics(), 0);
  produce(kEast, "t", 5);
  EXPECT_TRUE(until([&] { return ends(kWest, "t") == ends(kEast, "t"); }));
}

TEST_F(UndecidedEndLife, SourceStaysFencedWhenTheTargetSaysThatItHasEndedTheMirror) {
  start();
  set_round_trip("gateway", kWest, kFar);
  promote_while_target_falls_silent([&] { return has_ended(kWest, "t"); });
  EXPECT_TRUE(until([&] { return state("t") == "STOPPED"; }, seconds(40)));
  EXPECT_TRUE(until([&] { return mirror("t").source_fence().find("was promoted") != std::string::npos; }));
  EXPECT_NE(try_to_produce(kEast, "t"), 0);
  EXPECT_EQ(try_to_produce(kWest, "t"), 0);
  EXPECT_EQ(mirror("t").promotion().kind(), "promote");
  ASSERT_TRUE(all_mirrors("unfence"));
  EXPECT_EQ(try_to_produce(kEast, "t"), 0);
}

TEST_F(UndecidedEndLife, SecondPromoteDecidesWhatTheFirstLeftOpen) {
  start();
  promote_while_target_falls_silent(
      [&] { return mirror("t").source_fence().find("until it is known") != std::string::npos; });
  EXPECT_EQ(promote("t").error(), "");
  EXPECT_EQ(state("t"), "STOPPED");
  world().run_for(minutes(1));
  EXPECT_NE(try_to_produce(kEast, "t"), 0) << "the mirror has ended: what was open before does not lift its fence";
}

}  // namespace
}  // namespace farshore::life
