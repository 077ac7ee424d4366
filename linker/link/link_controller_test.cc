// What becomes of a link when the answer to a write of its definition is lost, when its topics change, and when its
// target refuses something.
#include "linker/link/link_controller.h"

#include "linker/link/link_controller_fixture.h"

namespace farshore::linker {
namespace {

class LinkControllerTest : public LinkControllerFixture {
 public:
  LinkControllerTest() { controller(); }
  static LinkController::Edit pause(bool paused) {
    return [paused](StoredLink& link) {
      link.state = paused ? LinkState::kPaused : LinkState::kActive;
      return ok();
    };
  }
  StoredLink stored() { return decode_stored_link(store_.stored.value).value(); }
};

TEST_F(LinkControllerTest, AWriteWhoseAnswerWasLostIsNotTakenForAnotherGateways) {
  struct Play {
    static Task<void> run(LinkControllerTest& t) {
      t.store_.lose_answers = 1;
      auto lost = co_await t.controller_->update(pause(true), t.soon());
      EXPECT_ERROR(lost, ErrorCode::kConnectionReset);
      EXPECT_EQ(t.stored().state, LinkState::kPaused);
      auto resumed = co_await t.controller_->update(pause(false), t.soon());
      EXPECT_TRUE(resumed) << resumed.error().to_string();
      EXPECT_EQ(t.stored().state, LinkState::kActive);
      EXPECT_EQ(t.controller_->state(), LinkState::kActive);
      EXPECT_EQ(t.store_.writes, 3);
    }
  };
  play(Play::run(*this));
}

TEST_F(LinkControllerTest, APromoteWaitsForPartitionsThatAreNotMirroredYet) {
  struct Play {
    static Task<void> run(LinkControllerTest& t) {
      auto quiet = [](api::VerbProgress) {};
      LinkController::PromoteOptions options;
      options.source_quiesced = true;
      t.kafka_.topics["orders"].partitions.resize(2);  // discovery looks again in seconds
      auto early = co_await t.controller_->promote("orders", options, quiet, t.soon());
      EXPECT_ERROR(early, ErrorCode::kUnavailable);
      EXPECT_EQ(t.controller_->describe_mirror("orders")->state(), "ACTIVE");
      LinkController::PromoteOptions plan = options;
      plan.dry_run = true;
      auto planned = co_await t.controller_->promote("orders", plan, quiet, t.soon());
      EXPECT_ERROR(planned, ErrorCode::kUnavailable);
      co_await t.env_.sleep(milliseconds(500));
      EXPECT_EQ(t.controller_->describe_mirror("orders")->partitions_size(), 2);
      auto ended = co_await t.controller_->promote("orders", options, quiet, t.soon());
      EXPECT_ERROR(ended, ErrorCode::kUnsupported);  // what this target says when it is asked to end
    }
  };
  controller_->start();
  ASSERT_TRUE(becomes([&] { return sink_.opened == 1; }));
  play(Play::run(*this));
}

TEST_F(LinkControllerTest, AConfigThatTheTargetRefusesIsShownAlsoWhileItIsAskedAgain) {
  kafka_.topics["orders"].configs["segment.bytes"] = "65536";
  west_.add_topic("orders", 1);
  west_.config_minimums["segment.bytes"] = 1 << 20;
  auto shown = [this] {
    auto mirror = controller_->describe_mirror("orders");
    return mirror && mirror->config_drift_size() == 1;
  };
  controller_->start();
  ASSERT_TRUE(becomes(shown));
  EXPECT_EQ(world_.run_until([&] { return !shown(); }, seconds(20)), sim::RunEnd::kTimeUp);  // some rounds of discovery
}

TEST_F(LinkControllerTest, AHigherEpochIsAnotherGateway) {
  struct Play {
    static Task<void> run(LinkControllerTest& t) {
      StoredLink theirs = t.link_;
      theirs.epoch = LinkEpoch(5);
      t.store_.stored.value = encode(theirs);
      t.store_.stored.revision = 2;
      auto refused = co_await t.controller_->update(pause(true), t.soon());
      EXPECT_ERROR(refused, ErrorCode::kConflict);
      EXPECT_EQ(t.controller_->state(), LinkState::kFailed);
      EXPECT_EQ(t.stored().epoch, LinkEpoch(5));
    }
  };
  play(Play::run(*this));
}

TEST_F(LinkControllerTest, ALinkThatIsGoneIsAConflictToo) {
  struct Play {
    static Task<void> run(LinkControllerTest& t) {
      t.store_.stored = {};
      auto refused = co_await t.controller_->update(pause(true), t.soon());
      EXPECT_ERROR(refused, ErrorCode::kConflict);
    }
  };
  play(Play::run(*this));
}

}  // namespace
}  // namespace farshore::linker
