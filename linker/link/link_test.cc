#include "linker/link/link.h"

#include "linker/link/testing/link_fixture.h"

namespace farshore::linker {
namespace {

class LinkTest : public LinkFixture {
 public:
  LinkTest() { link(); }
  static Link::Edit pause(bool paused) {
    return [paused](StoredLink& link) {
      link.state = paused ? LinkState::kPaused : LinkState::kActive;
      return ok();
    };
  }
  StoredLink stored() { return decode_stored_link(store_.stored.value).value(); }
};

ASYNC_TEST_F(LinkTest, UpdateAfterALostAnswerSucceedsOnItsOwnEarlierWrite) {
  store_.lose_answers = 1;
  auto lost = co_await link_->update(pause(true), soon());
  EXPECT_ERROR(lost, ErrorCode::kConnectionReset);
  EXPECT_EQ(stored().state, LinkState::kPaused);
  auto resumed = co_await link_->update(pause(false), soon());
  EXPECT_TRUE(resumed) << resumed.error().to_string();
  EXPECT_EQ(stored().state, LinkState::kActive);
  EXPECT_EQ(state(), LinkState::kActive);
  EXPECT_EQ(store_.writes, 3);
}

ASYNC_TEST_F(LinkTest, PromotionIsRefusedWhileAPartitionIsNotMirroredYet) {
  link_->start();
  for (int i = 0; i < 1000 && sink_.opened == 0; ++i) co_await env_.sleep(milliseconds(10));
  CO_ASSERT(sink_.opened == 1);
  auto quiet = [](api::VerbProgress) {};
  PromotionOptions options;
  options.source_quiesced = true;
  kafka_.topics["orders"].partitions.resize(2);  // discovery looks again in seconds
  auto early = co_await link_->promote("orders", false, options, quiet, soon());
  EXPECT_ERROR(early, ErrorCode::kUnavailable);
  EXPECT_EQ(topic_state("orders"), "ACTIVE");
  auto planned = co_await link_->promote("orders", true, options, quiet, soon());
  EXPECT_ERROR(planned, ErrorCode::kUnavailable);
  co_await env_.sleep(milliseconds(500));
  EXPECT_EQ(topic("orders")->partitions_size(), 2);
  auto ended = co_await link_->promote("orders", false, options, quiet, soon());
  EXPECT_ERROR(ended, ErrorCode::kUnsupported);  // what this target says when it is asked to end
}

TEST_F(LinkTest, DriftOfARefusedConfigStaysShownDuringLaterRounds) {
  kafka_.topics["orders"].configs["segment.bytes"] = "65536";
  west_.add_topic("orders", 1);
  west_.config_minimums["segment.bytes"] = 1 << 20;
  auto shown = [this] {
    const auto found = topic("orders");
    return found && found->config_drift_size() == 1;
  };
  link_->start();
  ASSERT_TRUE(becomes(shown));
  EXPECT_EQ(world_.run_until([&] { return !shown(); }, seconds(20)), sim::RunEnd::kTimeUp);  // some rounds of discovery
}

ASYNC_TEST_F(LinkTest, UpdateFailsTheLinkWhenTheStoredEpochIsHigher) {
  StoredLink theirs = stored_;
  theirs.epoch = LinkEpoch(5);
  store_.stored.value = encode(theirs);
  store_.stored.revision = 2;
  auto refused = co_await link_->update(pause(true), soon());
  EXPECT_ERROR(refused, ErrorCode::kConflict);
  EXPECT_EQ(state(), LinkState::kFailed);
  EXPECT_EQ(stored().epoch, LinkEpoch(5));
  auto given_up = co_await link_->give_up("orders", 0, SourceOffset(5), soon());
  EXPECT_ERROR(given_up, ErrorCode::kFenced);
}

// The mirror holds records of an epoch that the source never had.
ASYNC_TEST_F(LinkTest, UpdateOfOnDivergenceHoldsForPumpsThatRun) {
  link_->start();
  for (int i = 0; i < 1000 && topic_state("orders") != "ACTIVE"; ++i) co_await env_.sleep(milliseconds(10));
  auto stop = [](StoredLink& link) {
    link.spec.on_divergence = OnDivergence::kStop;
    return ok();
  };
  auto updated = co_await link_->update(stop, soon());
  CO_ASSERT_OK(updated);
  sink_.has.end = sink_.has.high_watermark = SourceOffset(5);
  sink_.has.last_epoch = LogEpoch(9);
  auto paused = co_await link_->pause_topic("orders", true, soon());
  CO_ASSERT_OK(paused);
  auto resumed = co_await link_->pause_topic("orders", false, soon());
  CO_ASSERT_OK(resumed);
  for (int i = 0; i < 1000 && topic_state("orders") != "FAILED"; ++i) co_await env_.sleep(milliseconds(10));
  CO_ASSERT(topic_state("orders") == "FAILED");
  const std::string reason = topic("orders")->state_reason();
  EXPECT_NE(reason.find("which were mirrored"), std::string::npos) << reason;
  CO_ASSERT(topic("orders")->losses_size() == 1);
  EXPECT_EQ(topic("orders")->losses(0).kind(), "kept");
}

ASYNC_TEST_F(LinkTest, LinkOfAnotherGatewayIsStoppedWithinSeconds) {
  link_->start();
  for (int i = 0; i < 1000 && topic_state("orders") != "ACTIVE"; ++i) co_await env_.sleep(milliseconds(10));
  StoredLink theirs = stored_;
  theirs.epoch = LinkEpoch(5);
  store_.stored.value = encode(theirs);
  ++store_.stored.revision;
  co_await env_.sleep(seconds(3));
  EXPECT_EQ(state(), LinkState::kFailed);
  EXPECT_EQ(topic_state("orders"), "FAILED");
  EXPECT_EQ(topic("orders")->partitions_size(), 0) << "its pumps are gone";
  auto refused = co_await link_->update(pause(false), soon());
  EXPECT_ERROR(refused, ErrorCode::kFenced);
  auto failover = co_await link_->failover(
      "orders", false, [](api::VerbProgress) {}, soon());
  EXPECT_ERROR(failover, ErrorCode::kFenced);
}

// Another cluster is at the target's address for a while: it knows nothing of the link.
ASYNC_TEST_F(LinkTest, MissingLinkAtAnotherClusterIsNotTakenForDeleted) {
  link_->start();
  for (int i = 0; i < 1000 && topic_state("orders") != "ACTIVE"; ++i) co_await env_.sleep(milliseconds(10));
  const StoredEntry there = store_.stored;
  const std::string id = west_.cluster_id;
  west_.cluster_id = "foreign";
  store_.stored.revision = 0;
  co_await env_.sleep(seconds(15));
  EXPECT_FALSE(link_->is_deleted());
  EXPECT_EQ(state(), LinkState::kFailed);
  EXPECT_NE(link_->view().describe().state_reason().find("foreign"), std::string::npos)
      << link_->view().describe().state_reason();
  west_.cluster_id = id;
  store_.stored = there;
  co_await env_.sleep(seconds(15));
  EXPECT_EQ(state(), LinkState::kActive) << "it goes on by itself";
  EXPECT_EQ(topic_state("orders"), "ACTIVE");
  auto paused = co_await link_->update(pause(true), soon());
  EXPECT_TRUE(paused) << paused.error().to_string();
}

Link::Edit select_topics(std::string name) {
  return [name](StoredLink& link) {
    link.spec.topics.front().name = name;
    return ok();
  };
}

ASYNC_TEST_F(LinkTest, TopicThatIsNotSelectedAnyMoreGetsNewPartitionsAllTheSame) {
  link_->start();
  for (int i = 0; i < 1000 && topic_state("orders") != "ACTIVE"; ++i) co_await env_.sleep(milliseconds(10));
  auto narrowed = co_await link_->update(select_topics("others"), soon());
  CO_ASSERT_OK(narrowed);
  co_await env_.sleep(seconds(10));
  CO_ASSERT(topic_state("orders") == "ACTIVE");
  EXPECT_NE(topic("orders")->state_reason().find("do not select"), std::string::npos);
  kafka_.topics["orders"].partitions.resize(2);
  co_await env_.sleep(seconds(10));
  EXPECT_EQ(topic("orders")->partitions_size(), 2);
}

ASYNC_TEST_F(LinkTest, TopicThatIsNeitherSelectedNorAtTheTargetLeavesTheListing) {
  link_->start();
  for (int i = 0; i < 1000 && topic_state("orders") != "ACTIVE"; ++i) co_await env_.sleep(milliseconds(10));
  target_->lost["orders"] = "deleted at the target";
  co_await env_.sleep(seconds(10));
  CO_ASSERT(topic_state("orders") == "FAILED");
  auto narrowed = co_await link_->update(select_topics("others"), soon());
  CO_ASSERT_OK(narrowed);
  co_await env_.sleep(seconds(10));
  EXPECT_FALSE(topic("orders")) << "after a restart it would not be there either";
  target_->lost.clear();
  auto again = co_await link_->update(select_topics("orders"), soon());
  CO_ASSERT_OK(again);
  co_await env_.sleep(seconds(10));
  EXPECT_EQ(topic_state("orders"), "ACTIVE");
}

ASYNC_TEST_F(LinkTest, UpdateOfADeletedLinkIsNotFound) {
  store_.stored = {};
  auto refused = co_await link_->update(pause(true), soon());
  EXPECT_ERROR(refused, ErrorCode::kNotFound);
  EXPECT_TRUE(link_->is_deleted()) << "the gateway forgets it";
}

}  // namespace
}  // namespace farshore::linker
