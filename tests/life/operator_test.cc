// What an operator is told: about topics that the target can never have, names that do not exist, and states in the
// log.
#include "tests/life/testing/life_world.h"

namespace farshore::life {
namespace {

class OperatorLife : public LifeWorld {
 public:
  void start() {
    start_broker(kEast);
    start_broker(kWest);
    start_gateway();
  }
  // A line of the log at this level (D, I, W, E) that has all these words.
  bool logged(char level, const std::vector<std::string>& words) {
    for (const std::string& line : world().trace().lines()) {
      bool all = line.find(std::string(" ") + level + " ") != std::string::npos;
      for (const std::string& word : words) all = all && line.find(word) != std::string::npos;
      if (all) return true;
    }
    return false;
  }
};

TEST_F(OperatorLife, TopicWhoseNameTheTargetCannotHaveIsLeftOutAndAlarmsNobody) {
  start();
  create(kWest, "a_b.c");
  create(kEast, "a.b_c");
  create(kEast, "t");
  produce(kEast, "t", 10);
  link();
  ASSERT_TRUE(until([&] { return mirrored("t") && state("a.b_c") == "LEFT_OUT"; }));
  EXPECT_NE(mirror("a.b_c").state_reason().find("collides with existing topic 'a_b.c'"), std::string::npos);
  EXPECT_EQ(mirror("a.b_c").lag_records(), -1) << "what is not mirrored has no lag of 0";
  world().run_for(seconds(30));
  const api::Link shown = describe();
  EXPECT_EQ(shown.lag_unknown_partitions(), 0);
  EXPECT_EQ(shown.lag_records(), 0);
  EXPECT_EQ(shown.mirror_state_count().at("LEFT_OUT"), 1);
  for (const auto& task : shown.tasks()) EXPECT_EQ(task.error(), "") << task.name();
  const auto ended = failover_all();
  ASSERT_EQ(ended.size(), 1u) << "--all does not mean topics that are left out";
  EXPECT_EQ(ended[0].topic(), "t");
}

TEST_F(OperatorLife, TopicThatIsLeftOutIsMirroredWhenItsNameIsFreeAndItIsResumed) {
  start();
  create(kWest, "a_b.c");
  create(kEast, "a.b_c");
  produce(kEast, "a.b_c", 5);
  link();
  ASSERT_TRUE(until([&] { return state("a.b_c") == "LEFT_OUT"; }));
  delete_topic(kWest, "a_b.c");
  EXPECT_TRUE(pause("a.b_c", false));
  EXPECT_TRUE(until([&] { return mirrored("a.b_c") && ends(kWest, "a.b_c").end == 5; }, seconds(10)));
}

TEST_F(OperatorLife, TopicThatIsLeftOutIsTriedAgainByItself) {
  start();
  create(kWest, "a_b.c");
  create(kEast, "a.b_c");
  link();
  ASSERT_TRUE(until([&] { return state("a.b_c") == "LEFT_OUT"; }));
  delete_topic(kWest, "a_b.c");
  EXPECT_TRUE(until([&] { return mirrored("a.b_c"); }, seconds(90)));
}

TEST_F(OperatorLife, TopicThatWouldComeBackToItsOwnClusterIsLeftOut) {
  start();
  create(kEast, "t");
  produce(kEast, "t", 10);
  link();
  ASSERT_TRUE(until([&] { return mirrored("t"); }));
  create(kWest, "own");
  start_gateway("gateway-of-east", kEast);
  link("*", "gateway-of-east", kWest);
  EXPECT_TRUE(until([&] { return state("t", "gateway-of-east") == "LEFT_OUT"; }));
  EXPECT_NE(mirror("t", "gateway-of-east").state_reason().find("would be a cycle"), std::string::npos);
  EXPECT_TRUE(until([&] { return state("own", "gateway-of-east") == "ACTIVE"; }));
  EXPECT_TRUE(until([&] { return state("own") == "LEFT_OUT"; })) << "the other way round";
  EXPECT_EQ(describe("gateway-of-east").lag_unknown_partitions(), 0);
  EXPECT_EQ(state("t"), "ACTIVE");
}

TEST_F(OperatorLife, TopicThatWasFailedOverIsNotLeftOutByALinkTheOtherWayRound) {
  start();
  create(kEast, "t");
  produce(kEast, "t", 10);
  link();
  ASSERT_TRUE(until([&] { return mirrored("t"); }));
  create(kWest, "own");
  start_gateway("gateway-of-east", kEast);
  link("*", "gateway-of-east", kWest);
  ASSERT_TRUE(until([&] { return state("t", "gateway-of-east") == "LEFT_OUT"; }));
  EXPECT_EQ(failover("t").error(), "");
  produce(kWest, "t", 5);
  ASSERT_TRUE(until([&] { return state("t", "gateway-of-east") == "FAILED"; }, minutes(2)))
      << "these records are at no second place: an alarm has to ring";
  const api::MirrorTopic shown = mirror("t", "gateway-of-east");
  EXPECT_NE(shown.state_reason().find("was mirrored from this target, and was promoted or failed over"),
            std::string::npos)
      << shown.state_reason();
  EXPECT_EQ(describe("gateway-of-east").lag_unknown_partitions(), 1);
  EXPECT_EQ(describe("gateway-of-east").lag_records(), -1);
  delete_topic(kEast, "t");  // what its operator does who wants it back
  EXPECT_TRUE(until([&] { return state("t", "gateway-of-east") == "ACTIVE" && ends(kEast, "t").end == 15; }));
  world().run_for(minutes(2));
  EXPECT_EQ(state("t"), "STOPPED") << "it does not go round";
  EXPECT_EQ(ends(kWest, "t").end, 15);
}

TEST_F(OperatorLife, LinkThatLeavesOutAllItsTopicsHasNoLagOfZero) {
  start();
  create(kEast, "t");
  link();
  ASSERT_TRUE(until([&] { return mirrored("t"); }));
  start_gateway("gateway-of-east", kEast);
  link("*", "gateway-of-east", kWest);
  ASSERT_TRUE(until([&] { return state("t", "gateway-of-east") == "LEFT_OUT"; }));
  const api::Link shown = describe("gateway-of-east");
  EXPECT_EQ(shown.lag_records(), -1);
  EXPECT_EQ(shown.lag_ms_max(), -1);
  EXPECT_EQ(shown.lag_unknown_partitions(), 0) << "nobody has to do anything";
}

TEST_F(OperatorLife, VerbsOnATopicThatIsLeftOutSayThatItIsLeftOutAndWhy) {
  start();
  create(kWest, "a_b.c");
  create(kEast, "a.b_c");
  link();
  ASSERT_TRUE(until([&] { return state("a.b_c") == "LEFT_OUT"; }));
  std::vector<std::string> errors{failover("a.b_c").error(), promote("a.b_c").error()};
  for (const auto& row : verify("a.b_c")) errors.push_back(row.error());
  ASSERT_EQ(errors.size(), 3u);
  for (const std::string& error : errors) {
    EXPECT_NE(error.find("LEFT_OUT (the target can have no topic of this name"), std::string::npos) << error;
    EXPECT_EQ(error.find("PENDING"), std::string::npos) << error;
    EXPECT_EQ(error.find("wait until"), std::string::npos) << error;
  }
}

TEST_F(OperatorLife, TopicThatWasLeftOutAndIsDeletedAtTheSourceSaysSo) {
  start();
  create(kWest, "a_b.c");
  create(kEast, "a.b_c");
  link();
  ASSERT_TRUE(until([&] { return state("a.b_c") == "LEFT_OUT"; }));
  delete_topic(kEast, "a.b_c");
  EXPECT_TRUE(
      until([&] { return mirror("a.b_c").state_reason().find("does not have the topic") != std::string::npos; }));
}

TEST_F(OperatorLife, MirrorOfATopicThatTheSourceDoesNotHaveIsRefusedAndChangesNothing) {
  start();
  create(kEast, "later");
  link("orders*");
  const auto refused = create_mirror("typo");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kNotFound);
  EXPECT_EQ(describe().spec().topics_size(), 1);
  EXPECT_TRUE(create_mirror("later"));
  EXPECT_TRUE(until([&] { return mirrored("later"); }));
}

TEST_F(OperatorLife, StatusOfALinkThatDoesNotExistNamesTheLinksThatDo) {
  start();
  link();
  EXPECT_TRUE(status(kLink));
  EXPECT_TRUE(status(""));
  const auto typo = status("typo");
  ASSERT_FALSE(typo);
  EXPECT_EQ(typo.error().code, ErrorCode::kNotFound);
  EXPECT_NE(typo.error().detail.find("there are: L"), std::string::npos) << typo.error().detail;
}

TEST_F(OperatorLife, FilterThatOnlyExcludesIsRefused) {
  start();
  link();
  const auto refused = update("topics", "!x");
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().detail.find("only exclude"), std::string::npos) << refused.error().detail;
  EXPECT_FALSE(update("groups", "!x"));
  EXPECT_TRUE(update("topics", "*,!x"));
}

TEST_F(OperatorLife, DryRunOfAnUpdateShowsTheLinkAsItWouldBe) {
  start();
  link();
  const auto planned = update("on.divergence", "stop", "gateway", true);
  ASSERT_TRUE(planned);
  EXPECT_EQ(planned->spec().on_divergence(), "stop");
  EXPECT_EQ(describe().spec().on_divergence(), "truncate");
}

TEST_F(OperatorLife, TwoUpdatesAtTheSameTimeAreBothAnsweredWithWhatIsStored) {
  start();
  link();
  const auto answers = update_both({"on.divergence", "stop"}, {"topic.sync.interval.ms", "2000"});
  const api::Link stored = describe();
  EXPECT_EQ(stored.spec().on_divergence(), "stop");
  EXPECT_EQ(stored.spec().topic_sync_interval_ms(), 2000);
  EXPECT_EQ(answers[0]->spec().on_divergence(), "stop");
  EXPECT_EQ(answers[1]->spec().topic_sync_interval_ms(), 2000);
  const api::Link& later = answers[0]->version() > answers[1]->version() ? *answers[0] : *answers[1];
  EXPECT_EQ(later.spec().on_divergence(), "stop") << "an answer shows the change that was stored before it";
  EXPECT_EQ(later.spec().topic_sync_interval_ms(), 2000);
}

TEST_F(OperatorLife, TopicsOfTheSourceAreLookedForWhenThatIsAskedFor) {
  start();
  create(kEast, "t");
  link();
  ASSERT_TRUE(until([&] { return mirrored("t"); }));
  ASSERT_TRUE(update("topic.sync.interval.ms", "3600000"));
  world().run_for(seconds(5));
  create(kEast, "new");
  produce(kEast, "new", 10);
  EXPECT_FALSE(until([&] { return state("new") != ""; }, seconds(30)));
  EXPECT_GE(describe().tasks(0).last_begun_ms_ago(), 30'000) << "`farshore wait` sees that this was before it began";
  discover();
  EXPECT_TRUE(until([&] { return mirrored("new"); }, seconds(10)));
  EXPECT_EQ(describe().tasks(0).name(), "topic-discovery");
  EXPECT_LE(describe().tasks(0).last_begun_ms_ago(), 10'000);
}

TEST_F(OperatorLife, FailedTopicIsLoggedAsAnError) {
  start();
  create(kEast, "t");
  link();
  ASSERT_TRUE(until([&] { return mirrored("t"); }));
  delete_topic(kEast, "t");
  ASSERT_TRUE(until([&] { return state("t") == "FAILED"; }));
  EXPECT_TRUE(logged('E', {"mirror topic", "topic=t", "to=FAILED"}));
}

TEST_F(OperatorLife, SilentSourceIsLoggedAsAWarning) {
  start();
  create(kEast, "t");
  link();
  ASSERT_TRUE(until([&] { return mirrored("t"); }));
  kill_broker(kEast);
  ASSERT_TRUE(until([&] { return describe().state() == "UNAVAILABLE"; }));
  EXPECT_TRUE(logged('W', {"link", "to=UNAVAILABLE"}));
  EXPECT_TRUE(logged('W', {"mirror topic", "topic=t", "to=SOURCE_UNAVAILABLE"}));
}

TEST_F(OperatorLife, SilentTargetIsNamedAndIsNotCalledTheSource) {
  start();
  create(kEast, "t");
  link();
  ASSERT_TRUE(until([&] { return mirrored("t"); }));
  kill_broker(kWest);
  ASSERT_TRUE(until([&] { return describe().state() == "UNAVAILABLE"; }));
  EXPECT_EQ(describe().state_reason().find("the target has not answered: "), 0u) << describe().state_reason();
  EXPECT_EQ(describe().state_reason().find("source"), std::string::npos) << describe().state_reason();
  EXPECT_GT(describe().last_target_contact_ms_ago(), 10'000);
  EXPECT_EQ(state("t"), "ACTIVE") << "the source answers";
  start_broker(kWest);
  EXPECT_TRUE(until([&] { return describe().state() == "ACTIVE"; }));
  EXPECT_LT(describe().last_target_contact_ms_ago(), 10'000);
}

TEST_F(OperatorLife, SourceThatWasSilentBeforeAPauseIsAskedAgainBeforeItIsCalledSilent) {
  start();
  create(kEast, "t");
  link();
  ASSERT_TRUE(until([&] { return mirrored("t"); }));
  world().net().partition(kEast, "gateway");
  ASSERT_TRUE(until([&] { return describe().state() == "UNAVAILABLE"; }));
  pause_link(true);
  world().run_for(minutes(5));
  pause_link(false);
  EXPECT_FALSE(until([&] { return describe().state() == "UNAVAILABLE"; }, seconds(5))) << describe().state_reason();
  EXPECT_TRUE(until([&] { return describe().state() == "UNAVAILABLE"; })) << "it does not answer";
  pause_link(true);
  world().net().heal();
  world().run_for(minutes(5));
  pause_link(false);
  EXPECT_FALSE(until([&] { return describe().state() == "UNAVAILABLE"; }, seconds(30))) << describe().state_reason();
  EXPECT_TRUE(mirrored("t"));
}

TEST_F(OperatorLife, SilentSourceStaysSilentUntilItAnswers) {
  start();
  create(kEast, "t");
  link();
  ASSERT_TRUE(until([&] { return mirrored("t"); }));
  kill_broker(kEast);
  ASSERT_TRUE(until([&] { return describe().state() == "UNAVAILABLE"; }));
  EXPECT_NE(describe().state_reason().find("east-1:9092"), std::string::npos) << describe().state_reason();
  EXPECT_FALSE(until([&] { return describe().state() != "UNAVAILABLE"; }, minutes(2)));
  start_broker(kEast);
  EXPECT_TRUE(until([&] { return describe().state() == "ACTIVE" && mirrored("t"); }));
}

TEST_F(OperatorLife, PromoteBeforeTheSourceHasAnsweredDoesNotCallItApacheKafka) {
  start();
  create(kEast, "t");
  link();
  ASSERT_TRUE(until([&] { return mirrored("t"); }));
  kill_broker(kEast);
  start_gateway();
  ASSERT_TRUE(until([&] { return state("t") == "ACTIVE"; }));
  EXPECT_EQ(describe().spec().source().kind(), "farshore") << "known from the link's definition";
  EXPECT_EQ(failover("t").error(), "");
  EXPECT_EQ(promote("t").step(), "was ended before");
}

TEST_F(OperatorLife, TopicsOfAPausedLinkAreShownAsPaused) {
  start();
  create(kEast, "t");
  link();
  ASSERT_TRUE(until([&] { return mirrored("t"); }));
  pause_link(true);
  EXPECT_EQ(state("t"), "PAUSED");
  EXPECT_EQ(mirror("t").state_reason(), "its link is paused");
  EXPECT_EQ(describe().mirror_state_count().at("PAUSED"), 1);
  pause_link(false);
  EXPECT_TRUE(until([&] { return mirrored("t"); }));
}

TEST_F(OperatorLife, ReportsOfSeveralFailoversWithoutASourceAreStored) {
  start();
  for (const char* topic : {"a", "b", "c"}) {
    create(kEast, topic);
    produce(kEast, topic, 10);
  }
  link();
  ASSERT_TRUE(until([&] { return mirrored("a") && mirrored("b") && mirrored("c"); }));
  kill_broker(kEast);
  world().run_for(seconds(20));
  for (const auto& done : failover_all()) EXPECT_EQ(done.error(), "");
  std::map<std::string, std::string> shown;
  for (const char* topic : {"a", "b", "c"}) shown[topic] = mirror(topic).promotion().ShortDebugString();
  EXPECT_EQ(stored_keys("link/L/report/").size(), 3u);
  start_gateway();
  ASSERT_TRUE(until([&] { return state("c") == "STOPPED"; }));
  for (const auto& [topic, report] : shown) EXPECT_EQ(mirror(topic).promotion().ShortDebugString(), report) << topic;
}

TEST_F(OperatorLife, TopicThatDoesNotGoOnSaysWhy) {
  start();
  create(kEast, "t");
  link();
  ASSERT_TRUE(until([&] { return mirrored("t"); }));
  EXPECT_EQ(mirror("t").state_reason(), "");
  kill_broker(kWest);
  produce(kEast, "t", 5);
  ASSERT_TRUE(until([&] { return !mirror("t").state_reason().empty(); }));
  EXPECT_EQ(mirror("t").state_reason().find("partition 0: "), 0u) << mirror("t").state_reason();
  EXPECT_TRUE(logged('W', {"target refuses", "topic=t", "partition=0"}));
  start_broker(kWest);
  EXPECT_TRUE(until([&] { return mirrored("t") && mirror("t").state_reason().empty(); }));
}

TEST_F(OperatorLife, BothEndsAreNamedWhenBothAreSilent) {
  start();
  create(kEast, "t");
  link();
  ASSERT_TRUE(until([&] { return mirrored("t"); }));
  kill_broker(kEast);
  kill_broker(kWest);
  EXPECT_TRUE(until([&] {
    const std::string reason = describe().state_reason();
    return reason.find("the source has not answered: ") == 0 &&
           reason.find("the target has not answered: ") != std::string::npos;
  }));
  start_broker(kWest);
  EXPECT_TRUE(until([&] { return describe().state_reason().find("the target") == std::string::npos; }));
  EXPECT_EQ(describe().state(), "UNAVAILABLE");
}

TEST_F(OperatorLife, NewLinkIsToldThatAnOlderOneEndedItsTopic) {
  start();
  create(kEast, "t");
  link();
  ASSERT_TRUE(until([&] { return mirrored("t"); }));
  EXPECT_EQ(failover("t").error(), "");
  ASSERT_TRUE(delete_link(false, false));
  link();
  ASSERT_TRUE(until([&] { return state("t") == "FAILED"; }));
  EXPECT_NE(mirror("t").state_reason().find("promoted or failed over"), std::string::npos)
      << mirror("t").state_reason();
  EXPECT_TRUE(delete_link(false, false)) << "a topic that is not of this link keeps nobody from deleting it";
}

TEST_F(OperatorLife, DeletingALinkTellsOnlyOfTopicsThatTheLinkHasMade) {
  start();
  create(kEast, "mine");
  create(kEast, "taken");
  create(kWest, "taken");
  produce(kWest, "taken", 1);
  link();
  ASSERT_TRUE(until([&] { return mirrored("mine") && state("taken") == "FAILED"; }));
  EXPECT_FALSE(delete_link(true, false)) << "a dry run is refused as the deletion is";
  auto planned = delete_link(true, true);
  ASSERT_TRUE(planned);
  std::string plan;
  for (const auto& line : planned->plan()) plan += line + "\n";
  EXPECT_NE(plan.find("leave mine as a read-only mirror"), std::string::npos) << plan;
  EXPECT_EQ(plan.find("leave taken"), std::string::npos) << plan;
  EXPECT_EQ(failover("mine").error(), "");
  EXPECT_TRUE(delete_link(false, false)) << "a topic that is not of this link keeps nobody from deleting it";
}

}  // namespace
}  // namespace farshore::life
