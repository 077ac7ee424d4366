// Commands of an operator while one end does not answer: the end is named, soon, and what the other end has is told.
#include "tests/life/testing/life_world.h"

namespace farshore::life {
namespace {

class SilentEndLife : public LifeWorld {
 public:
  void start() {
    start_broker(kEast);
    start_broker(kWest);
    start_gateway();
    for (const char* topic : {"a", "b"}) {
      create(kEast, topic, 2);
      produce(kEast, topic, 30);
    }
    link();
    for (const char* topic : {"a", "b"}) ASSERT_TRUE(until([&] { return mirrored(topic); }));
  }
  Duration now() { return world().now(); }
  static void expect_names(const std::string& text, const std::string& part) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  }
};

TEST_F(SilentEndLife, FailoverThatWasGivenUpAMomentBeforeItsTargetCameBackIsNotBegun) {
  start();
  freeze_broker(kWest, true);
  auto caller = std::make_shared<linker::Caller>();
  bool ended = false;
  begin_failover("a", caller, ended);
  world().run_for(seconds(3));
  freeze_broker(kWest, false);
  world().run_for(milliseconds(50));
  caller->leave();  // the connection's end is noticed a little later than the target's answer
  ASSERT_TRUE(until([&] { return ended; }));
  world().run_for(seconds(30));
  EXPECT_EQ(state("a"), "ACTIVE");
  EXPECT_FALSE(has_ended(kWest, "a"));
}

TEST_F(SilentEndLife, VerifyNamesATargetThatIsDownAndTellsWhatTheSourceHas) {
  start();
  kill_broker(kWest);
  const Duration begun = now();
  const auto rows = verify();
  EXPECT_LT(now() - begun, seconds(30));
  ASSERT_EQ(rows.size(), 4U);
  for (const auto& row : rows) expect_names(row.error(), "the target does not answer");
  expect_names(rows[0].error(), "the source has [0, 30)");
  expect_names(rows[1].error(), "the source has [0, 0)");
}

TEST_F(SilentEndLife, VerifyNamesASourceThatIsDownAndTellsWhatTheMirrorHas) {
  start();
  kill_broker(kEast);
  const Duration begun = now();
  const auto rows = verify();
  EXPECT_LT(now() - begun, seconds(30));
  ASSERT_EQ(rows.size(), 4U);
  for (const auto& row : rows) expect_names(row.error(), "the source does not answer");
  expect_names(rows[0].error(), "the mirror has [0, 30)");
}

TEST_F(SilentEndLife, VerifyNamesBothEndsWhenBothAreDown) {
  start();
  kill_broker(kEast);
  kill_broker(kWest);
  const Duration begun = now();
  const auto rows = verify();
  EXPECT_LT(now() - begun, seconds(30));
  ASSERT_EQ(rows.size(), 2U) << "one for each topic";
  for (const auto& row : rows) {
    expect_names(row.error(), "the source does not answer");
    expect_names(row.error(), "the target does not answer");
  }
}

TEST_F(SilentEndLife, VerifyNamesATargetThatTakesConnectionsAndDoesNotAnswer) {
  start();
  world().net().isolate(kWest);
  const Duration begun = now();
  const auto rows = verify("a");
  EXPECT_LT(now() - begun, seconds(30));
  ASSERT_EQ(rows.size(), 2U);
  for (const auto& row : rows) expect_names(row.error(), "the target does not answer");
}

TEST_F(SilentEndLife, FailoverAndItsDryRunNameATargetThatIsDown) {
  start();
  kill_broker(kWest);
  for (bool dry_run : {true, false}) {
    api::FailoverRequest request;
    request.set_link(kLink);
    request.set_all(true);
    request.set_dry_run(dry_run);
    const Answer answer = failover_as(std::move(request));
    ASSERT_FALSE(answer.status);
    expect_names(answer.status.error().detail, "the target does not answer");
    EXPECT_LT(answer.took, seconds(15));
    const Answer orphans = failover_without_link({}, dry_run);
    ASSERT_FALSE(orphans.status);
    expect_names(orphans.status.error().detail, "the target does not answer");
    EXPECT_LT(orphans.took, seconds(15));
  }
  start_broker(kWest);
  EXPECT_TRUE(until([&] {
    api::FailoverRequest request;
    request.set_link(kLink);
    request.set_all(true);
    return failover_as(std::move(request)).status.has_value();
  })) << "nothing stays behind of a failover that was not begun";
  EXPECT_TRUE(until([&] { return state("a") == "STOPPED" && state("b") == "STOPPED"; }));
}

TEST_F(SilentEndLife, DryRunOfAPromoteNamesASourceThatIsDown) {
  start();
  kill_broker(kEast);
  api::PromoteRequest request;
  request.set_link(kLink);
  request.set_all(true);
  request.set_dry_run(true);
  const Answer answer = promote_as(std::move(request));
  ASSERT_FALSE(answer.status);
  expect_names(answer.status.error().detail, "the source does not answer");
  EXPECT_LT(answer.took, seconds(15));
}

}  // namespace
}  // namespace farshore::life
