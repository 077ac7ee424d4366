// Verbs of operators that meet each other, that their caller gives up, or that meet a paused link.
#include "linker/link/testing/link_fixture.h"
#include "proto/batch/builder.h"

namespace farshore::linker {
namespace {

class VerbsTest : public LinkFixture {
 public:
  VerbsTest() { link(); }
  // A promote that cannot complete: the target takes no records.
  Task<void> start_promote() {
    link_->start();
    for (int i = 0; i < 1000 && sink_.opened == 0; ++i) co_await env_.sleep(milliseconds(10));
    CO_ASSERT(sink_.opened == 1);
    BatchBuilder builder;
    builder.add(1'700'000'000'000, "key", "value");
    kafka_.append("orders", 0, builder.build());
    world_.spawn(env_, promote());
    for (int i = 0; i < 1000 && topic_state("orders") != "PENDING_STOPPED"; ++i) co_await env_.sleep(milliseconds(10));
    CO_ASSERT(topic_state("orders") == "PENDING_STOPPED");
  }
  Task<void> promote() {
    PromotionOptions options;
    options.source_quiesced = true;
    auto quiet = [](api::VerbProgress) {};
    promoted_ = co_await link_->promote("orders", false, options, quiet, soon(), caller_);
    promote_ended_ = true;
  }
  Task<void> promote_ends() {
    for (int i = 0; i < 1000 && !promote_ended_; ++i) co_await env_.sleep(milliseconds(10));
    CO_ASSERT(promote_ended_);
  }
  // A promote waits until it is not wanted any more; a failover waits for the end of the promote.
  Task<Result<PromotionRecord>> end_mirror(EndOfTopic request, replicator::Replicator& pumps) {
    for (const auto& key : request.pumps) pumps.pause(key);
    if (request.ends) {
      promote_ends_the_mirror_ = true;
      while (request.wanted()) co_await env_.sleep(milliseconds(10));
      co_return Error(ErrorCode::kClosed, "given up by who asked for it");
    }
    for (int i = 0; i < 2000 && !promote_ended_; ++i) co_await env_.sleep(milliseconds(10));
    for (const auto& key : request.pumps) phases_.push_back(pumps.phase(key).value_or(replicator::PumpPhase::kFailed));
    PromotionRecord record;
    record.kind = PromotionKind::kFailover;
    record.partitions.emplace_back();
    co_return record;
  }
  static Link::Edit set_state(LinkState state) {
    return [state](StoredLink& link) {
      link.state = state;
      return ok();
    };
  }
  static bool says(const Error& error, const std::string& text) { return error.detail.find(text) != std::string::npos; }

  std::shared_ptr<Caller> caller_ = std::make_shared<Caller>();
  Status promoted_;
  bool promote_ended_ = false, promote_ends_the_mirror_ = false;
  std::vector<replicator::PumpPhase> phases_;  // of the pumps, when the failover ends the mirror
};

ASYNC_TEST_F(VerbsTest, SecondVerbIsRefusedAndToldWhoIsAtWork) {
  co_await start_promote();
  PromotionOptions options;
  options.source_quiesced = true;
  auto quiet = [](api::VerbProgress) {};
  auto second = co_await link_->promote("orders", false, options, quiet, soon());
  EXPECT_ERROR(second, ErrorCode::kConflict);
  EXPECT_TRUE(says(second.error(), "promote is at work")) << second.error().to_string();
  auto topic_pause = co_await link_->pause_topic("orders", true, soon());
  EXPECT_ERROR(topic_pause, ErrorCode::kConflict);
  auto link_pause = co_await link_->update(set_state(LinkState::kPaused), soon());
  EXPECT_ERROR(link_pause, ErrorCode::kConflict);
  EXPECT_ERROR(link_->may_be_deleted(), ErrorCode::kConflict);
  EXPECT_EQ(topic_state("orders"), "PENDING_STOPPED");
  auto property = co_await link_->update(set_state(LinkState::kActive), soon());  // changes no state
  EXPECT_TRUE(property) << property.error().to_string();
  caller_->leave();
  co_await promote_ends();
  auto later = co_await link_->pause_topic("orders", true, soon());
  EXPECT_TRUE(later) << later.error().to_string();
  EXPECT_EQ(topic_state("orders"), "PAUSED");
}

ASYNC_TEST_F(VerbsTest, PromoteWhoseCallerIsGoneIsGivenUp) {
  co_await start_promote();
  caller_->leave();
  co_await promote_ends();
  EXPECT_ERROR(promoted_, ErrorCode::kClosed);
  EXPECT_EQ(topic_state("orders"), "ACTIVE");
}

ASYNC_TEST_F(VerbsTest, FailoverTakesThePlaceOfAPromote) {
  co_await start_promote();
  auto quiet = [](api::VerbProgress) {};
  auto failed_over = co_await link_->failover("orders", false, quiet, soon());
  EXPECT_ERROR(failed_over, ErrorCode::kUnsupported);  // what this target says when it is asked to end
  // The promote is still being undone: a second one would share its fence.
  PromotionOptions options;
  options.source_quiesced = true;
  auto second = co_await link_->promote("orders", false, options, quiet, soon());
  EXPECT_ERROR(second, ErrorCode::kConflict);
  auto link_pause = co_await link_->update(set_state(LinkState::kPaused), soon());
  EXPECT_ERROR(link_pause, ErrorCode::kConflict);
  auto again = co_await link_->failover("orders", false, quiet, soon());
  EXPECT_ERROR(again, ErrorCode::kUnsupported);  // an emergency is let in
  co_await promote_ends();
  EXPECT_ERROR(promoted_, ErrorCode::kConflict);
  EXPECT_TRUE(says(promoted_.error(), "failover has taken the place")) << promoted_.error().to_string();
}

// The promote is about to end the mirror when a failover takes its place. Pumps that it resumed would go on copying
// while the failover ends the mirror.
ASYNC_TEST_F(VerbsTest, DisplacedPromoteLeavesThePumpsToTheFailover) {
  target_->on_end = [this](EndOfTopic request, replicator::Replicator& pumps) {
    return end_mirror(std::move(request), pumps);
  };
  link_->start();
  for (int i = 0; i < 1000 && sink_.opened == 0; ++i) co_await env_.sleep(milliseconds(10));
  world_.spawn(env_, promote());
  for (int i = 0; i < 1000 && !promote_ends_the_mirror_; ++i) co_await env_.sleep(milliseconds(10));
  CO_ASSERT(promote_ends_the_mirror_);
  auto quiet = [](api::VerbProgress) {};
  auto failed_over = co_await link_->failover("orders", false, quiet, soon());
  EXPECT_TRUE(failed_over) << failed_over.error().to_string();
  EXPECT_TRUE(promote_ended_);
  EXPECT_EQ(phases_, std::vector<replicator::PumpPhase>(1, replicator::PumpPhase::kPaused));
  EXPECT_EQ(topic_state("orders"), "STOPPED");
}

ASYNC_TEST_F(VerbsTest, PromoteOnAPausedLinkIsRefusedAtOnce) {
  link_->start();
  for (int i = 0; i < 1000 && sink_.opened == 0; ++i) co_await env_.sleep(milliseconds(10));
  auto paused = co_await link_->update(set_state(LinkState::kPaused), soon());
  CO_ASSERT(paused);
  const MonoTime before = env_.now();
  co_await promote();
  EXPECT_ERROR(promoted_, ErrorCode::kInvalidArgument);
  EXPECT_TRUE(says(promoted_.error(), "resume")) << promoted_.error().to_string();
  EXPECT_EQ(env_.now(), before);
}

// One partition of two has FAILED.
ASYNC_TEST_F(VerbsTest, PauseStopsTheOtherPartitionsOfATopicThatIsFailed) {
  kafka_.topics["orders"].partitions.resize(2);
  link_->start();
  for (int i = 0; i < 1000 && sink_.opened < 2; ++i) co_await env_.sleep(milliseconds(10));
  auto& lost = kafka_.topics["orders"].partitions[0];
  auto stop = [](StoredLink& link) {
    link.spec.on_retention_gap = OnRetentionGap::kStop;
    return ok();
  };
  auto updated = co_await link_->update(stop, soon());
  CO_ASSERT_OK(updated);
  lost.log_start = lost.end = 20;
  for (int i = 0; i < 1000 && topic_state("orders") != "FAILED"; ++i) co_await env_.sleep(milliseconds(10));
  CO_ASSERT(topic_state("orders") == "FAILED");
  EXPECT_EQ(topic("orders")->partitions(1).state(), "ACTIVE");

  auto link_paused = co_await link_->update(set_state(LinkState::kPaused), soon());
  CO_ASSERT_OK(link_paused);
  EXPECT_EQ(topic_state("orders"), "FAILED");
  EXPECT_EQ(topic("orders")->partitions(1).state(), "PAUSED");
  // Resuming the topic does not resume a link that is paused.
  auto retried = co_await link_->pause_topic("orders", false, soon());
  CO_ASSERT_OK(retried);
  co_await env_.sleep(seconds(5));
  EXPECT_EQ(topic("orders")->partitions(1).state(), "PAUSED");
  auto link_resumed = co_await link_->update(set_state(LinkState::kActive), soon());
  CO_ASSERT_OK(link_resumed);
  for (int i = 0; i < 1000 && topic_state("orders") != "FAILED"; ++i) co_await env_.sleep(milliseconds(10));
  co_await env_.sleep(seconds(1));
  EXPECT_EQ(topic("orders")->partitions(1).state(), "ACTIVE");

  auto topic_paused = co_await link_->pause_topic("orders", true, soon());
  CO_ASSERT_OK(topic_paused);
  EXPECT_EQ(topic_state("orders"), "PAUSED");
  EXPECT_EQ(topic("orders")->partitions(1).state(), "PAUSED");
}

// The link was taken over by another gateway in the middle of the drain: its pumps are gone.
ASYNC_TEST_F(VerbsTest, PromoteDoesNotTakeATopicWithoutPumpsForDrained) {
  co_await start_promote();
  StoredLink theirs = stored_;
  theirs.epoch = LinkEpoch(5);
  store_.stored.value = encode(theirs);
  ++store_.stored.revision;
  co_await promote_ends();
  EXPECT_ERROR(promoted_, ErrorCode::kInvalidArgument);
  EXPECT_TRUE(says(promoted_.error(), "became FAILED")) << promoted_.error().to_string();
}

ASYNC_TEST_F(VerbsTest, ManyTopicsArePausedAndResumedWithOneWriteEach) {
  std::vector<std::string> names;
  for (int i = 0; i < 200; ++i) kafka_.add_topic(names.emplace_back("orders-" + std::to_string(i)), 1);
  auto all = [](StoredLink& link) {
    link.spec.topics.front().pattern = PatternType::kPrefixed;
    return ok();
  };
  auto updated = co_await link_->update(all, soon());
  CO_ASSERT_OK(updated);
  link_->start();
  for (int i = 0; i < 1000 && topic_state(names.back()) != "ACTIVE"; ++i) co_await env_.sleep(milliseconds(10));
  names.push_back("no-such-topic");
  const int writes = store_.writes;
  auto refused = co_await link_->pause_topics(names, true, soon());
  CO_ASSERT_OK(refused);
  CO_ASSERT(refused->size() == 1);
  EXPECT_EQ(refused->front().topic, "no-such-topic");
  EXPECT_EQ(store_.writes, writes + 1);
  EXPECT_EQ(topic_state(names.front()), "PAUSED");
  EXPECT_EQ(topic_state("orders"), "ACTIVE");
  auto resumed = co_await link_->pause_topics(names, false, soon());
  CO_ASSERT_OK(resumed);
  EXPECT_EQ(store_.writes, writes + 2);
  EXPECT_EQ(topic_state(names.front()), "ACTIVE");
}

ASYNC_TEST_F(VerbsTest, NamesOfPausedTopicsThatTheStoreCannotHoldAreRefusedWithTheWayOut) {
  auto grown = [](StoredLink& link) {
    link.paused_topics.assign(2200, std::string(245, 't'));
    return ok();
  };
  link_->start();
  for (int i = 0; i < 1000 && sink_.opened == 0; ++i) co_await env_.sleep(milliseconds(10));
  auto updated = co_await link_->update(grown, soon());
  CO_ASSERT_OK(updated);
  const int writes = store_.writes;
  auto refused = co_await link_->pause_topic("orders", true, soon());
  EXPECT_ERROR(refused, ErrorCode::kResourceExhausted);
  EXPECT_TRUE(says(refused.error(), "farshore link pause a")) << refused.error().to_string();
  EXPECT_EQ(store_.writes, writes);
}

ASYNC_TEST_F(VerbsTest, PauseWhoseCallerIsGoneChangesNothing) {
  link_->start();
  for (int i = 0; i < 1000 && sink_.opened == 0; ++i) co_await env_.sleep(milliseconds(10));
  const int writes = store_.writes;
  caller_->leave();
  auto refused = co_await link_->update(set_state(LinkState::kPaused), soon(), caller_);
  EXPECT_ERROR(refused, ErrorCode::kClosed);
  EXPECT_EQ(store_.writes, writes);
  EXPECT_EQ(state(), LinkState::kActive);
}

}  // namespace
}  // namespace farshore::linker
