#include "linker/relay/journal.h"

#include "linker/relay/testing/journal_fixture.h"

namespace farshore::linker {
namespace {

using RelayJournalTest = KafkaFixture;

ASYNC_TEST_F(RelayJournalTest, AnotherGatewayReadsTheWrittenRunsAndAnchors) {
  JournalGateway first(*this), second(*this);
  const auto key = key_number(3);
  auto claims = co_await first.take(key);
  CO_ASSERT_OK(claims);
  EXPECT_TRUE(claims->anchors.empty());
  EXPECT_FALSE(claims->last_run);
  CO_DO(co_await first.anchor(key, 0, 100, 5));
  first.journal->relayed(key, run_of(100, 5, 10));
  first.journal->relayed(key, run_of(110, 15, 10));  // continues
  EXPECT_EQ(first.journal->relayed_end(key), std::optional(TargetOffset(25)));
  first.journal->relayed(key, run_of(120, 30, 10));  // a foreign record in between
  EXPECT_EQ(first.journal->relayed_end(key), std::optional(TargetOffset(40)));
  EXPECT_EQ(second.journal->relayed_end(key), std::nullopt);
  co_await expect_target(first, key, 129, 39);  // before anything is written down
  co_await first.until_written();
  auto again = co_await second.take(key);
  CO_ASSERT_OK(again);
  CO_ASSERT(again->anchors.size() == 1);
  EXPECT_EQ(again->anchors.front(), anchor_of(first.owner, 0, 100, 5));
  EXPECT_EQ(again->last_run, std::optional(run_of(120, 30, 10)));
  EXPECT_EQ(second.journal->relayed_end(key), std::optional(TargetOffset(40)));
  co_await expect_target(second, key, 105, 10);
  co_await expect_target(second, key, 125, 35);
  // The first one is fenced, and says so.
  auto late = co_await first.anchor(key, 30, 130, 40);
  EXPECT_ERROR(late, ErrorCode::kFenced);
  EXPECT_EQ(first.journal->status().keys_stopped, 1u);
  co_await first.stop();
  co_await second.stop();
}

ASYNC_TEST_F(RelayJournalTest, GrowingRunIsWrittenAtMostOncePerSecondUnderOneKey) {
  JournalGateway gateway(*this);
  const auto key = key_number(1);
  CO_DO(co_await gateway.take(key));
  auto log = co_await gateway.journal->log_of(key, soon());
  const int64_t before = kafka_.partition(log->topic, log->partition).end;
  for (int64_t i = 0; i < 500; ++i) {
    gateway.journal->relayed(key, run_of(i * 10, i * 10, 10));
    co_await env_.sleep(milliseconds(10));
  }
  co_await gateway.until_written();
  const int64_t records = kafka_.partition(log->topic, log->partition).end - before;
  EXPECT_GE(records, 3);
  EXPECT_LE(records, 8);
  auto rows = co_await gateway.kv.scan("r", "s", 10);
  EXPECT_EQ(rows->size(), 1u);
  co_await gateway.stop();
}

ASYNC_TEST_F(RelayJournalTest, AnchorsBelowWrittenRunsAreTombstoned) {
  JournalGateway gateway(*this);
  const auto key = key_number(1);
  int64_t offset = 0;
  for (int round = 0; round < 30; ++round) {
    CO_DO(co_await gateway.take(key));
    CO_DO(co_await gateway.anchor(key, 0, offset, offset + round));
    gateway.journal->relayed(key, run_of(offset, offset + round, 10));
    offset += 10;
    co_await gateway.until_written();
  }
  auto claims = co_await gateway.journal->claims(key, soon());
  CO_ASSERT_OK(claims);
  EXPECT_LE(claims->anchors.size(), 2u);
  EXPECT_EQ(claims->anchors.back().source, SourceOffset(290));
  JournalGateway other(*this);
  auto read = co_await other.take(key);
  CO_ASSERT_OK(read);
  EXPECT_EQ(read->anchors, claims->anchors);
  co_await gateway.stop();
  co_await other.stop();
}

ASYNC_TEST_F(RelayJournalTest, TakeoverDropsRunsThatTheLogDoesNotHold) {
  JournalGateway gateway(*this);
  const auto key = key_number(1);
  CO_DO(co_await gateway.take(key));
  gateway.journal->relayed(key, run_of(0, 0, 10));
  co_await gateway.until_written();
  kafka_.fate = [](int16_t api) { return api == kProduceKey ? Fate::kLoseRequest : Fate::kAnswer; };
  gateway.journal->relayed(key, run_of(10, 10, 5));
  gateway.journal->relayed(key, run_of(20, 20, 5));
  // It translates, and the store holds it as not logged.
  auto seen = co_await gateway.journal->to_target(key, SourceOffset(24), std::nullopt, soon());
  CO_ASSERT_OK(seen);
  EXPECT_EQ(seen->offset, 24);
  co_await gateway.restart();
  kafka_.fate = nullptr;
  auto claims = co_await gateway.take(key);
  CO_ASSERT_OK(claims);
  EXPECT_EQ(claims->last_run, std::optional(run_of(0, 0, 10)));
  // The sink found both at the target again.
  gateway.journal->relayed(key, run_of(10, 10, 5));
  gateway.journal->relayed(key, run_of(20, 20, 5));
  co_await gateway.until_written();
  JournalGateway other(*this);
  CO_DO(co_await other.take(key));
  co_await expect_target(other, key, 14, 14);
  co_await expect_target(other, key, 24, 24);
  co_await gateway.stop();
  co_await other.stop();
}

ASYNC_TEST_F(RelayJournalTest, LoweredClaimIsLoweredForOtherGatewaysToo) {
  RelayJournalOptions small;
  small.runs_per_batch_max = 3;
  JournalGateway gateway(*this, small);
  const auto key = key_number(1);
  CO_DO(co_await gateway.take(key));
  for (int64_t i = 0; i < 20; ++i) gateway.journal->relayed(key, run_of(i * 20, i * 30, 10));
  co_await gateway.until_written();
  CO_DO(co_await gateway.take(key));
  CO_DO(co_await gateway.anchor(key, 0, 60, 100));
  CO_DO(co_await gateway.anchor(key, 500, 390, 580));
  auto left = co_await gateway.journal->lower_claim(key, TargetOffset(125), soon());
  CO_ASSERT_OK(left);
  EXPECT_EQ(left->last_run, std::optional(run_of(80, 120, 5)));
  EXPECT_EQ(left->anchors, std::vector{anchor_of(gateway.owner, 0, 60, 100)});
  JournalGateway other(*this);
  auto claims = co_await other.take(key);
  CO_ASSERT_OK(claims);
  EXPECT_EQ(claims->last_run, std::optional(run_of(80, 120, 5)));
  EXPECT_EQ(claims->anchors, left->anchors);
  auto beyond = co_await other.journal->to_target(key, SourceOffset(300), std::nullopt, soon());
  EXPECT_ERROR(beyond, ErrorCode::kOutOfRange);
  co_await gateway.stop();
  co_await other.stop();
}

ASYNC_TEST_F(RelayJournalTest, KeyWithTooManyUnwrittenRunsStopsWithAnError) {
  RelayJournalOptions small;
  small.runs_pending_max = 10;
  JournalGateway gateway(*this, small);
  const auto key = key_number(1);
  CO_DO(co_await gateway.take(key));
  for (int64_t i = 0; i < 20; ++i) gateway.journal->relayed(key, run_of(i * 20, i * 30, 10));
  EXPECT_EQ(gateway.journal->status().keys_stopped, 1u);
  EXPECT_EQ(gateway.journal->status().last_error.code, ErrorCode::kResourceExhausted);
  auto refused = co_await gateway.anchor(key, 0, 0, 0);
  EXPECT_ERROR(refused, ErrorCode::kResourceExhausted);
  CO_DO(co_await gateway.take(key));
  gateway.journal->relayed(key, run_of(0, 0, 10));
  co_await gateway.until_written();
  co_await gateway.stop();
}

ASYNC_TEST_F(RelayJournalTest, ForgetBelowKeepsTheLastRun) {
  JournalGateway gateway(*this);
  const auto key = key_number(1);
  CO_DO(co_await gateway.take(key));
  CO_DO(co_await gateway.anchor(key, 0, 0, 0));
  for (int64_t i = 0; i < 5; ++i) gateway.journal->relayed(key, run_of(i * 20, i * 30, 10));
  co_await gateway.until_written();
  CO_DO(co_await gateway.journal->forget_below(key, SourceOffset(45), soon()));
  JournalGateway other(*this);
  auto below = co_await other.journal->to_target(key, SourceOffset(25), std::nullopt, soon());
  EXPECT_ERROR(below, ErrorCode::kOutOfRange);
  co_await expect_target(other, key, 49, 69);
  CO_DO(co_await gateway.journal->forget_below(key, SourceOffset(1000), soon()));
  auto claims = co_await gateway.journal->claims(key, soon());
  EXPECT_EQ(claims->last_run, std::optional(run_of(80, 120, 10)));
  CO_DO(co_await gateway.journal->forget(key, soon()));
  auto gone = co_await other.journal->claims(key, soon());
  CO_ASSERT_OK(gone);
  EXPECT_FALSE(gone->last_run);
  EXPECT_TRUE(gone->anchors.empty());
  co_await gateway.stop();
  co_await other.stop();
}

ASYNC_TEST_F(RelayJournalTest, TakeoverByTheSameWriterReadsNothingAndKnowsWhatWasWritten) {
  constexpr int16_t kFetchKey = 1;
  JournalGateway gateway(*this);
  const auto key = key_number(1);
  CO_DO(co_await gateway.take(key));
  CO_DO(co_await gateway.anchor(key, 0, 0, 0));
  gateway.journal->relayed(key, run_of(0, 0, 10));
  gateway.journal->relayed(key, run_of(20, 30, 10));
  co_await gateway.until_written();
  const int fetches = kafka_.requests[kFetchKey];
  auto claims = co_await gateway.journal->take_over(key, gateway.owner, env_.now() + hours(10), soon());
  CO_ASSERT_OK(claims);
  EXPECT_EQ(kafka_.requests[kFetchKey], fetches);
  CO_ASSERT(claims->last_run.has_value());
  EXPECT_EQ(*claims->last_run, run_of(20, 30, 10));
  EXPECT_EQ(claims->anchors.size(), 1u);
  gateway.journal->relayed(key, run_of(40, 50, 10));  // the sequences go on, too
  co_await gateway.until_written();
  JournalGateway other(*this);
  for (int64_t i = 0; i < 3; ++i) co_await expect_target(other, key, i * 20 + 9, i == 0 ? 9 : i * 20 + 19);
  co_await gateway.stop();
  co_await other.stop();
}

// The target gave the id another producer: nothing fences the former owner, which writes on until it notices.
ASYNC_TEST_F(RelayJournalTest, WhatAFormerOwnerWroteBehindTheMarkerIsReadWhenItHasStopped) {
  JournalGateway old(*this), fresh(*this);
  const auto key = key_number(1);
  CO_DO(co_await old.take(key));
  CO_DO(co_await old.anchor(key, 0, 0, 0));
  old.journal->relayed(key, run_of(0, 0, 10));
  co_await old.until_written();
  std::vector<TopicPartition> partitions{{kTranslationTopic, translation_log_partition(key)}};
  auto owner = co_await kafka::fence(*fresh.cluster, "farshore.test.new", std::move(partitions), soon());
  CO_ASSERT_OK(owner);
  CO_DO(co_await fresh.journal->take_over(key, *owner, env_.now() + hours(10), soon()));
  old.journal->relayed(key, run_of(20, 30, 10));
  co_await old.until_written();
  int32_t n = 2;  // a neighbour, for which the same partition of the log is read meanwhile
  while (translation_log_partition(key_number(n)) != translation_log_partition(key)) ++n;
  CO_DO(co_await fresh.journal->claims(key_number(n), soon()));
  replicator::RelayLogWriter writer(*owner);
  writer.former_has_stopped = true;
  auto claims = co_await fresh.journal->take_over(key, writer, env_.now() + hours(10), soon());
  CO_ASSERT_OK(claims);
  CO_ASSERT(claims->last_run.has_value());
  EXPECT_EQ(*claims->last_run, run_of(20, 30, 10));
  co_await old.stop();
  co_await fresh.stop();
}

}  // namespace
}  // namespace farshore::linker
