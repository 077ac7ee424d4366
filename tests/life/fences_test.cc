// Fences that promotes leave at the source: none stays without a reason.
#include "tests/life/testing/life_world.h"

namespace farshore::life {
namespace {

class FenceLife : public LifeWorld {
 public:
  // A promote whose target dies when it is about to be asked to end the mirror: the fence holds for an hour.
  void promote_and_lose_the_target() {
    start_broker(kEast);
    start_broker(kWest);
    start_gateway();
    create(kEast, "t");
    link();
    ASSERT_TRUE(until([&] { return mirrored("t"); }));
    begin_promote("t", seconds(20), promote_);
    ASSERT_TRUE(until([&] { return fenced_for(kEast, "t") > minutes(30); }));
    kill_broker(kWest);
  }
  Promote promote_;
};

TEST_F(FenceLife, PromoteWhoseEndIsNotKnownLiftsItsFenceWhenTheTargetAnswersAgain) {
  promote_and_lose_the_target();
  ASSERT_TRUE(until([&] { return promote_.ended; }));
  world().run_for(seconds(20));
  EXPECT_GT(fenced_for(kEast, "t"), minutes(30)) << "the mirror may have ended";
  start_broker(kWest);
  EXPECT_TRUE(until([&] { return fenced_for(kEast, "t") == Duration(0); }));
  EXPECT_TRUE(until([&] { return mirrored("t"); }));
  EXPECT_EQ(promote("t").mirror().state(), "STOPPED");
  EXPECT_EQ(fenced_for(kEast, "t"), Duration::max());
}

TEST_F(FenceLife, LinkThatIsDeletedTakesItsFencesAlong) {
  promote_and_lose_the_target();
  kill_gateway();
  start_broker(kWest);
  start_gateway();
  auto deleted = delete_link(false, true);
  ASSERT_TRUE(deleted) << deleted.error().to_string();
  EXPECT_EQ(fenced_for(kEast, "t"), Duration(0));
}

TEST_F(FenceLife, FenceOfAPromotedTopicOutlivesItsLink) {
  start_broker(kEast);
  start_broker(kWest);
  start_gateway();
  create(kEast, "t");
  link();
  ASSERT_TRUE(until([&] { return mirrored("t"); }));
  EXPECT_EQ(promote("t").mirror().state(), "STOPPED");
  ASSERT_TRUE(delete_link(false, false));
  world().run_for(seconds(90));
  EXPECT_EQ(fenced_for(kEast, "t"), Duration::max());
}

TEST_F(FenceLife, LinkIsNotDeletedWhileAPromoteIsAtWork) {
  promote_and_lose_the_target();
  auto refused = delete_link(false, true);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kConflict);
  EXPECT_NE(refused.error().detail.find("promote is at work"), std::string::npos) << refused.error().to_string();
}

}  // namespace
}  // namespace farshore::life
