// The journal when the target refuses, is silent, or another gateway has taken over: its state is certain afterwards.
#include "linker/relay/testing/journal_fixture.h"

namespace farshore::linker {
namespace {

using RelayJournalErrorsTest = KafkaFixture;

Task<void> expect_fenced(KafkaFixture& t, JournalGateway& gateway, LinkPartition key) {
  auto anchored = co_await gateway.anchor(key, 0, 100, 100);
  EXPECT_ERROR(anchored, ErrorCode::kFenced);
  auto lowered = co_await gateway.journal->lower_claim(key, TargetOffset(5), t.soon());
  EXPECT_ERROR(lowered, ErrorCode::kFenced);
  auto below = co_await gateway.journal->forget_below(key, SourceOffset(5), t.soon());
  EXPECT_ERROR(below, ErrorCode::kFenced);
  auto forgotten = co_await gateway.journal->forget(key, t.soon());
  EXPECT_ERROR(forgotten, ErrorCode::kFenced);
}

ASYNC_TEST_F(RelayJournalErrorsTest, WritesForAKeyThatWasNotTakenOverAreFenced) {
  JournalGateway gateway(*this);
  const auto key = key_number(1);
  co_await expect_fenced(*this, gateway, key);
  gateway.journal->relayed(key, run_of(0, 0, 10));
  EXPECT_FALSE(gateway.journal->relayed_end(key));
  EXPECT_EQ(gateway.journal->status().keys, 0u);
  co_await gateway.stop();
}

ASYNC_TEST_F(RelayJournalErrorsTest, KeyTakenOverByAnotherGatewayStopsAlone) {
  JournalGateway old(*this), fresh(*this);
  const auto key = key_number(1);
  CO_DO(co_await old.take(key));
  old.journal->relayed(key, run_of(0, 0, 10));
  co_await old.until_written();
  CO_DO(co_await fresh.take(key));
  old.journal->relayed(key, run_of(50, 70, 10));  // acknowledged before the fence, or so it thinks
  while (old.journal->status().keys_stopped == 0) co_await env_.sleep(milliseconds(100));
  EXPECT_EQ(old.journal->status().last_error.code, ErrorCode::kFenced);
  co_await expect_fenced(*this, old, key);
  fresh.journal->relayed(key, run_of(10, 12, 5));
  co_await fresh.until_written();
  co_await expect_target(fresh, key, 14, 16);
  auto gone = co_await fresh.journal->to_target(key, SourceOffset(55), std::nullopt, soon());
  EXPECT_FALSE(gone);
  // The gateway in control takes the key back, and continues from the claims of the other one.
  auto back = co_await old.take(key);
  CO_ASSERT_OK(back);
  CO_ASSERT(back->last_run.has_value());
  EXPECT_EQ(back->last_run->source_end(), SourceOffset(15));
  old.journal->relayed(key, run_of(15, 20, 5));
  co_await old.until_written();
  EXPECT_EQ(old.journal->status().keys_stopped, 0u);
  co_await expect_target(old, key, 19, 24);
  co_await expect_fenced(*this, fresh, key);
  co_await old.stop();
  co_await fresh.stop();
}

// The answer of a checkpoint is lost for longer than it is waited for: whether it landed, the next takeover finds out.
ASYNC_TEST_F(RelayJournalErrorsTest, CheckpointWithALostAnswerIsDecidedByTheNextTakeover) {
  for (bool landed : {true, false}) {
    RelayJournalOptions options;
    options.checkpoint_limit = seconds(3);
    JournalGateway gateway(*this, options);
    const auto key = key_number(landed ? 1 : 2);
    CO_DO(co_await gateway.take(key));
    gateway.journal->relayed(key, run_of(0, 0, 10));
    co_await gateway.until_written();
    bool first = true;
    kafka_.fate = [&first, landed](int16_t api) {
      if (api != kProduceKey) return Fate::kAnswer;
      return std::exchange(first, false) && landed ? Fate::kLoseAnswer : Fate::kLoseRequest;
    };
    gateway.journal->relayed(key, run_of(20, 30, 10));
    while (gateway.journal->status().keys_stopped == 0) co_await env_.sleep(milliseconds(100));
    EXPECT_EQ(gateway.journal->status().last_error.code, ErrorCode::kAmbiguous);
    EXPECT_EQ(gateway.journal->status().keys_behind, 1u);
    kafka_.fate = nullptr;
    auto claims = co_await gateway.take(key);
    CO_ASSERT_OK(claims);
    CO_ASSERT(claims->last_run.has_value());
    EXPECT_EQ(*claims->last_run, landed ? run_of(20, 30, 10) : run_of(0, 0, 10));
    EXPECT_EQ(gateway.journal->status().keys_stopped, 0u);
    EXPECT_EQ(gateway.journal->status().keys_behind, 0u);
    co_await gateway.stop();
  }
}

ASYNC_TEST_F(RelayJournalErrorsTest, TakeoverThatFailedHalfWayCanBeRepeated) {
  constexpr int16_t kFetchKey = 1;
  JournalGateway gateway(*this);
  const auto key = key_number(1);
  CO_DO(co_await gateway.take(key));
  gateway.journal->relayed(key, run_of(0, 0, 10));
  co_await gateway.until_written();
  TopicPartition log{kTranslationTopic, translation_log_partition(key)};
  std::vector<TopicPartition> partitions{log};
  auto owner = co_await kafka::fence(*gateway.cluster, "farshore.test.1", std::move(partitions), soon());
  CO_ASSERT_OK(owner);
  kafka_.fate = [](int16_t api) { return api == kFetchKey ? Fate::kSilence : Fate::kAnswer; };
  auto half = co_await gateway.journal->take_over(key, *owner, env_.now() + hours(10), env_.in(seconds(2)));
  EXPECT_FALSE(half);
  // Nobody's now: nothing is remembered for it, and nothing written.
  gateway.journal->relayed(key, run_of(10, 10, 10));
  EXPECT_EQ(gateway.journal->status().keys, 0u);
  auto anchored = co_await gateway.anchor(key, 0, 100, 100);
  EXPECT_ERROR(anchored, ErrorCode::kUnavailable);
  kafka_.fate = nullptr;
  auto claims = co_await gateway.take(key);
  CO_ASSERT_OK(claims);
  CO_ASSERT(claims->last_run.has_value());
  EXPECT_EQ(*claims->last_run, run_of(0, 0, 10));
  CO_DO(co_await gateway.anchor(key, 0, 100, 100));
  co_await gateway.stop();
}

// As when somebody sets max.message.bytes of the log too low for a while.
ASYNC_TEST_F(RelayJournalErrorsTest, CheckpointThatIsRefusedAsTooLargeIsTriedAgainInSmallerBatches) {
  JournalGateway gateway(*this);
  const auto key = key_number(1);
  CO_DO(co_await gateway.take(key));
  auto& log = kafka_.partition(kTranslationTopic, translation_log_partition(key));
  const size_t before = std::exchange(log.batch_bytes_max, 20);
  for (int64_t i = 0; i < 40; ++i) gateway.journal->relayed(key, run_of(i * 20, i * 30, 10));
  while (!(gateway.journal->status().last_error == ErrorCode::kInvalidArgument)) co_await env_.sleep(milliseconds(100));
  EXPECT_EQ(gateway.journal->status().keys_stopped, 0u);
  EXPECT_FALSE(gateway.journal->wants_takeover(key)) << "nothing is in doubt: a takeover would help nobody";
  co_await env_.sleep(seconds(10));
  EXPECT_EQ(gateway.journal->status().keys_behind, 1u);
  log.batch_bytes_max = 700;  // less than one batch of all that waits
  for (int i = 0; i < 600 && gateway.journal->status().keys_behind > 0; ++i) co_await env_.sleep(seconds(1));
  EXPECT_EQ(gateway.journal->status().keys_behind, 0u);
  log.batch_bytes_max = before;
  co_await gateway.restart();
  co_await expect_target(gateway, key, 39 * 20, 39 * 30);
  co_await expect_target(gateway, key, 0, 0);
  co_await gateway.stop();
}

ASYNC_TEST_F(RelayJournalErrorsTest, WriteWhoseFateIsUnknownAsksForATakeoverAtGrowingIntervals) {
  RelayJournalOptions options;
  options.checkpoint_limit = seconds(3);
  JournalGateway gateway(*this, options);
  const auto key = key_number(1);
  CO_DO(co_await gateway.take(key));
  kafka_.fate = [](int16_t api) { return api == kProduceKey ? Fate::kLoseRequest : Fate::kAnswer; };
  std::vector<MonoTime> asked;
  gateway.journal->relayed(key, run_of(0, 0, 10));
  while (asked.size() < 4) {
    co_await env_.sleep(milliseconds(100));
    if (!gateway.journal->wants_takeover(key)) continue;
    asked.push_back(env_.now());
    CO_DO(co_await gateway.take(key));
    gateway.journal->relayed(key, run_of(0, 0, 10));  // found at the target again
  }
  for (size_t i = 2; i < asked.size(); ++i) EXPECT_GT(asked[i] - asked[i - 1], asked[i - 1] - asked[i - 2]);
  kafka_.fate = nullptr;
  CO_DO(co_await gateway.take(key));
  gateway.journal->relayed(key, run_of(0, 0, 10));
  co_await gateway.until_written();
  EXPECT_EQ(gateway.journal->status().keys_stopped, 0u);
  co_await expect_target(gateway, key, 9, 9);
  co_await gateway.stop();
}

ASYNC_TEST_F(RelayJournalErrorsTest, NothingIsWrittenWhileTheOwnershipIsNotConfirmed) {
  JournalGateway gateway(*this);
  const auto key = key_number(1);
  TopicPartition log{kTranslationTopic, translation_log_partition(key)};
  auto opened = co_await gateway.journal->log_of(key, soon());
  CO_ASSERT_OK(opened);
  std::vector<TopicPartition> partitions{log};
  auto owner = co_await kafka::fence(*gateway.cluster, "farshore.test.1", std::move(partitions), soon());
  CO_ASSERT_OK(owner);
  CO_DO(co_await gateway.journal->take_over(key, *owner, env_.now() + seconds(5), soon()));
  co_await env_.sleep(seconds(6));
  const int written = kafka_.requests[kProduceKey];
  gateway.journal->relayed(key, run_of(0, 0, 10));
  RelayAnchor anchor = anchor_of(*owner, 0, 0, 0);
  auto anchored = co_await gateway.journal->write_anchor(key, anchor, soon());
  EXPECT_ERROR(anchored, ErrorCode::kUnavailable);
  co_await env_.sleep(seconds(5));
  EXPECT_EQ(kafka_.requests[kProduceKey], written);
  EXPECT_EQ(gateway.journal->status().keys_stopped, 0u);
  gateway.journal->owned_until(key, env_.now() + minutes(1));
  CO_DO(co_await gateway.journal->write_anchor(key, anchor, soon()));
  co_await gateway.until_written();
  co_await gateway.stop();
}

// The fence is noticed by the data, not by a write to the log: the image must still show what the other gateway writes.
ASYNC_TEST_F(RelayJournalErrorsTest, LostKeyIsReadFromTheLogFromThenOn) {
  JournalGateway old(*this), fresh(*this);
  const auto key = key_number(1), neighbour = key_number(2);
  CO_DO(co_await old.take(key));
  CO_DO(co_await old.take(neighbour));
  old.journal->relayed(key, run_of(0, 0, 10));
  co_await old.until_written();
  CO_DO(co_await fresh.take(key));
  fresh.journal->relayed(key, run_of(10, 12, 5));
  co_await fresh.until_written();
  auto passed = co_await old.journal->claims(neighbour, soon());  // reads the log past what `fresh` wrote
  CO_ASSERT_OK(passed);
  old.journal->lost(key, Error(ErrorCode::kFenced, "another gateway"));
  fresh.journal->relayed(key, run_of(15, 17, 5));
  co_await fresh.until_written();
  for (int i = 0; i < 100; ++i) {
    auto got = co_await old.journal->to_target(key, SourceOffset(19), std::nullopt, soon());
    if (got) break;
    co_await env_.sleep(milliseconds(200));
  }
  for (JournalGateway* each : {&old, &fresh}) {
    co_await expect_target(*each, key, 9, 9);
    co_await expect_target(*each, key, 14, 16);
    co_await expect_target(*each, key, 19, 21);
  }
  EXPECT_EQ(old.journal->status().keys, 1u);
  co_await old.stop();
  co_await fresh.stop();
}

ASYNC_TEST_F(RelayJournalErrorsTest, ForgetThatFailedHalfWayCanBeRepeated) {
  RelayJournalOptions options;
  options.runs_per_batch_max = 3;
  JournalGateway gateway(*this, options), other(*this);
  const auto key = key_number(1);
  CO_DO(co_await gateway.take(key));
  CO_DO(co_await gateway.anchor(key, 0, 0, 0));
  for (int64_t i = 0; i < 10; ++i) gateway.journal->relayed(key, run_of(i * 20, i * 30, 10));
  co_await gateway.until_written();
  int writes = 0;
  kafka_.fate = [&writes](int16_t api) {
    return api == kProduceKey && ++writes > 2 ? Fate::kLoseRequest : Fate::kAnswer;
  };
  auto forgotten = co_await gateway.journal->forget(key, env_.in(seconds(3)));
  EXPECT_FALSE(forgotten);
  kafka_.fate = nullptr;
  forgotten = co_await gateway.journal->forget(key, soon());
  EXPECT_FALSE(forgotten) << "a write was in doubt: only a takeover decides it";
  CO_DO(co_await gateway.take(key));
  CO_DO(co_await gateway.journal->forget(key, soon()));
  auto claims = co_await other.journal->claims(key, soon());
  CO_ASSERT_OK(claims);
  EXPECT_FALSE(claims->last_run);
  EXPECT_TRUE(claims->anchors.empty());
  co_await gateway.stop();
  co_await other.stop();
}

}  // namespace
}  // namespace farshore::linker
