// Mirror topics whose ends are deleted, made anew, paused, cut or no longer selected.
#include "tests/life/testing/life_world.h"

namespace farshore::life {
namespace {

class LinkLife : public LifeWorld {
 public:
  void start() {
    start_broker(kEast);
    start_broker(kWest);
    start_gateway();
  }
  // What a deletion of the link would do, in one text.
  std::string plan_of_deletion() {
    const auto planned = delete_link(true, true);
    std::string text;
    if (planned)
      for (const std::string& line : planned->plan()) text += line + "\n";
    return text;
  }
};

TEST_F(LinkLife, TopicMadeAnewIsMirroredWhenItsOldMirrorIsDeleted) {
  start();
  create(kEast, "t");
  produce(kEast, "t", 100);
  link();
  ASSERT_TRUE(until([&] { return mirrored("t"); }));
  delete_topic(kEast, "t");
  ASSERT_TRUE(until([&] { return state("t") == "FAILED"; }));
  create(kEast, "t");
  produce(kEast, "t", 30);
  world().run_for(seconds(6));
  EXPECT_EQ(state("t"), "FAILED") << "the old records are kept until an operator deletes them";
  delete_topic(kWest, "t");
  EXPECT_TRUE(until([&] { return mirrored("t") && ends(kWest, "t").end == 30; }));
}

TEST_F(LinkLife, DeletionOfALinkNamesAMirrorThatWaitsToBeMadeAgainAsWhatItLeaves) {
  start();
  create(kEast, "t");
  produce(kEast, "t", 100);
  link();
  ASSERT_TRUE(until([&] { return mirrored("t"); }));
  delete_topic(kEast, "t");
  ASSERT_TRUE(until([&] { return state("t") == "FAILED"; }));
  create(kEast, "t");
  start_gateway();
  ASSERT_TRUE(until([&] { return state("t") == "FAILED"; }));
  kill_broker(kEast);
  EXPECT_TRUE(pause("t", false));
  ASSERT_NE(state("t"), "FAILED");
  const std::string plan = plan_of_deletion();
  EXPECT_NE(plan.find("leave t as a read-only mirror"), std::string::npos) << plan;
  EXPECT_NE(plan.find("farshore mirror failover"), std::string::npos) << plan;
  EXPECT_FALSE(delete_link(false, false)) << "not without --force";
}

TEST_F(LinkLife, DeletionOfALinkLeavesNothingOfAMirrorThatIsGone) {
  start();
  create(kEast, "t");
  link();
  ASSERT_TRUE(until([&] { return mirrored("t"); }));
  delete_topic(kWest, "t");
  ASSERT_TRUE(until([&] { return state("t") == "FAILED"; }));
  const std::string plan = plan_of_deletion();
  EXPECT_NE(plan.find("touch nothing of topics that are not at the target as the link made them: t"), std::string::npos)
      << plan;
  EXPECT_EQ(plan.find("leave t"), std::string::npos) << plan;
}

TEST_F(LinkLife, ResumeOfATopicThatCannotWorkIsRefusedWithTheWayOut) {
  start();
  create(kEast, "t");
  create(kEast, "other");
  produce(kEast, "t", 100);
  link();
  ASSERT_TRUE(until([&] { return mirrored("t") && mirrored("other"); }));
  delete_topic(kEast, "t");
  ASSERT_TRUE(until([&] { return state("t") == "FAILED"; }));
  auto refused = pause("t", false);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().detail.find("the source has no topic t"), std::string::npos) << refused.error().detail;
  create(kEast, "t");
  produce(kEast, "t", 30);
  for (int restarts = 0; restarts < 2; ++restarts) {
    ASSERT_TRUE(until([&] { return state("t") == "FAILED"; }));
    refused = pause("t", false);
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().detail.find("stays FAILED"), std::string::npos) << refused.error().detail;
    EXPECT_NE(refused.error().detail.find("delete topic t at the target"), std::string::npos);
    EXPECT_EQ(state("t"), "FAILED") << "nothing was changed";
    start_gateway();
  }
  // The others are resumed all the same.
  ASSERT_TRUE(until([&] { return state("t") == "FAILED" && state("other") == "ACTIVE"; }));
  EXPECT_TRUE(pause("other", true));
  auto all = all_mirrors("resume");
  ASSERT_FALSE(all);
  EXPECT_NE(all.error().detail.find("resume: 1 of 2 topics done"), std::string::npos) << all.error().detail;
  EXPECT_EQ(state("other"), "ACTIVE");
  delete_topic(kWest, "t");
  world().run_for(seconds(1));
  EXPECT_TRUE(pause("t", false) || state("t") == "ACTIVE");
  EXPECT_TRUE(until([&] { return mirrored("t") && ends(kWest, "t").end == 30; }));
}

TEST_F(LinkLife, IdleMirrorWhoseTargetTopicIsDeletedFailsAndResumeMakesItAgain) {
  start();
  create(kEast, "idle");
  produce(kEast, "idle", 50);
  link();
  ASSERT_TRUE(until([&] { return mirrored("idle"); }));
  delete_topic(kWest, "idle");
  ASSERT_TRUE(until([&] { return state("idle") == "FAILED"; }));
  EXPECT_EQ(mirror("idle").lag_records(), -1) << "a mirror without pumps knows no lag";
  world().run_for(seconds(10));
  EXPECT_EQ(state("idle"), "FAILED");
  EXPECT_TRUE(pause("idle", false));
  EXPECT_TRUE(until([&] { return mirrored("idle") && ends(kWest, "idle").end == 50; }));
}

TEST_F(LinkLife, BusyMirrorWhoseTargetTopicIsDeletedIsMadeAgainByResume) {
  start();
  create(kEast, "t");
  produce(kEast, "t", 100);
  link();
  ASSERT_TRUE(until([&] { return mirrored("t"); }));
  delete_topic(kWest, "t");
  produce(kEast, "t", 10);
  ASSERT_TRUE(until([&] { return state("t") == "FAILED"; }, seconds(10)));
  EXPECT_TRUE(pause("t", false));
  EXPECT_TRUE(until([&] { return mirrored("t") && ends(kWest, "t").end == 110; }));
}

TEST_F(LinkLife, PausedTopicThatIsDeletedAtTheTargetFails) {
  start();
  create(kEast, "t");
  produce(kEast, "t", 5);
  link();
  ASSERT_TRUE(until([&] { return mirrored("t"); }));
  EXPECT_TRUE(pause("t", true));
  delete_topic(kWest, "t");
  EXPECT_TRUE(until([&] { return state("t") == "FAILED"; }));
}

TEST_F(LinkLife, SourceTopicDeletedWhileItsMirrorIsPausedFailsAtResume) {
  start();
  create(kEast, "t");
  produce(kEast, "t", 5);
  link();
  ASSERT_TRUE(until([&] { return mirrored("t"); }));
  EXPECT_TRUE(pause("t", true));
  delete_topic(kEast, "t");
  world().run_for(seconds(20));
  EXPECT_EQ(state("t"), "PAUSED");
  EXPECT_TRUE(pause("t", false));
  EXPECT_TRUE(until([&] { return state("t") == "FAILED"; }));
}

TEST_F(LinkLife, TopicThatTheFiltersNoLongerSelectIsNamedAndStaysMirrored) {
  start();
  for (const char* topic : {"orders", "payments"}) {
    create(kEast, topic);
    produce(kEast, topic, 100);
  }
  link();
  ASSERT_TRUE(until([&] { return mirrored("orders") && mirrored("payments"); }));
  auto updated = update("topics", "orders");
  ASSERT_TRUE(updated) << updated.error().to_string();
  ASSERT_EQ(updated->notes_size(), 1);
  EXPECT_NE(updated->notes(0).find("payments"), std::string::npos);
  for (int restarts = 0; restarts < 2; ++restarts) {
    produce(kEast, "payments", 20);
    EXPECT_TRUE(until([&] { return mirrored("payments") && ends(kWest, "payments") == ends(kEast, "payments"); }));
    EXPECT_TRUE(until([&] { return mirror("payments").state_reason().find("filters") != std::string::npos; }));
    EXPECT_EQ(mirror("orders").state_reason(), "");
    start_gateway();
  }
}

TEST_F(LinkLife, SourceTopicThatWasDeletedIsFailedAlsoAfterARestart) {
  start();
  create(kEast, "t");
  create(kEast, "other");
  produce(kEast, "t", 10);
  link();
  ASSERT_TRUE(until([&] { return mirrored("t"); }));
  kill_gateway();
  delete_topic(kEast, "t");
  start_gateway();
  EXPECT_TRUE(until([&] { return state("t") == "FAILED"; }));
  EXPECT_TRUE(until([&] { return mirrored("other"); }));
}

TEST_F(LinkLife, LogStartInsideABatchIsMirrored) {
  start();
  create(kEast, "t", 1, {{"retention.ms", "-1"}});
  for (int i = 0; i < 3; ++i) produce(kEast, "t", 10);
  delete_records(kEast, "t", 15);
  link();
  EXPECT_TRUE(until([&] { return mirrored("t") && ends(kWest, "t") == Ends{15, 30}; }));
  produce(kEast, "t", 10);
  delete_records(kEast, "t", 33);
  EXPECT_TRUE(until([&] { return mirrored("t") && ends(kWest, "t") == Ends{33, 40}; }));
  auto rows = verify("t");
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_TRUE(rows[0].equal()) << rows[0].DebugString();
}

TEST_F(LinkLife, UpdateOfOnRetentionGapHoldsForTheNextGap) {
  start();
  create(kEast, "t");
  produce(kEast, "t", 10);
  link();
  ASSERT_TRUE(until([&] { return mirrored("t"); }));
  EXPECT_TRUE(update("on.retention.gap", "stop"));
  EXPECT_TRUE(pause("t", true));
  for (int i = 0; i < 3; ++i) produce(kEast, "t", 10);
  delete_records(kEast, "t", 30);
  EXPECT_TRUE(pause("t", false));
  ASSERT_TRUE(until([&] { return state("t") == "FAILED"; }));
  EXPECT_EQ(ends(kWest, "t").end, 10);
  EXPECT_TRUE(update("on.retention.gap", "skip"));
  EXPECT_TRUE(pause("t", false));
  EXPECT_TRUE(until([&] { return mirrored("t") && ends(kWest, "t") == Ends{30, 40}; }));
}

TEST_F(LinkLife, DefaultsOfTheSourceHoldAtTheTargetUnlessTheLinkSaysOtherwise) {
  start_broker(kEast, {{"log.retention.ms", "-1"}});
  start_broker(kWest);
  start_gateway();
  create(kEast, "t");
  produce(kEast, "t", 10);
  link();
  ASSERT_TRUE(until([&] { return mirrored("t") && config(kWest, "t", "retention.ms") == "-1"; }));
  EXPECT_EQ(mirror("t").config_drift_size(), 0) << mirror("t").DebugString();
  EXPECT_TRUE(update("topic.config.defaults", "target"));
  EXPECT_TRUE(until([&] { return config(kWest, "t", "retention.ms").empty(); }));
  EXPECT_TRUE(until([&] { return mirror("t").config_drift_size() > 0; }));
}

}  // namespace
}  // namespace farshore::life
