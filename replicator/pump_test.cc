#include "replicator/pump.h"

#include "replicator/testing/pump_fixture.h"

namespace farshore::replicator {
namespace {

TEST_F(PumpTest, NewPumpFetchesNothingBeforeItIsOpen) {
  EXPECT_EQ(pump().control_request().kind, ControlRequest::Kind::kOpen);
  EXPECT_FALSE(pump().next());
  EXPECT_FALSE(pump().take(1000));
  open(42, 3, 9);
  auto position = pump().next();
  ASSERT_TRUE(position);
  EXPECT_EQ(position->offset, SourceOffset(42));
  EXPECT_EQ(position->last_fetched_epoch, LogEpoch(3));
  EXPECT_EQ(position->session, PumpSession(9));
}

TEST_F(PumpTest, IdlePumpTakesAtMost512Bytes) { EXPECT_LE(sizeof(PartitionPump), 512u); }

TEST_F(PumpTest, TakenBatchesNameTheStateTheTargetMustHave) {
  open(10, 2, 7);
  EXPECT_GT(fetched(batch(10, 5, 3), state(30)), 0u);
  fetched(batch(15, 5, 4), state(30));
  auto first = pump().take(1);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->expected_end, SourceOffset(10));
  EXPECT_EQ(first->epoch_before, LogEpoch(2));
  EXPECT_EQ(first->session, PumpSession(7));
  EXPECT_EQ(first->source.high_watermark, SourceOffset(30));
  EXPECT_EQ(end_of(*first), 15);
  auto second = pump().take(1 << 20);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->expected_end, SourceOffset(15));
  EXPECT_EQ(second->epoch_before, LogEpoch(3));
  EXPECT_EQ(end_of(*second), 20);
  pump().on_appended(first->generation, ack(*first));
  EXPECT_EQ(pump().progress(now_).target_end, SourceOffset(15));
  pump().on_appended(second->generation, ack(*second));
  auto progress = pump().progress(now_);
  EXPECT_EQ(progress.target_end, SourceOffset(20));
  EXPECT_EQ(progress.lag_offsets, 10);
  EXPECT_EQ(progress.batches, 2u);
}

TEST_F(PumpTest, BatchesBeforeThePositionAreLeftOut) {
  open(15, 3);
  BatchRun run = batch(10, 5);
  run.append(batch(15, 5));
  fetched(std::move(run), state(20));
  auto pumped = pump().take(1 << 20);
  ASSERT_TRUE(pumped);
  EXPECT_EQ(pumped->run.first(), Offset(15));
}

TEST_F(PumpTest, AnswersToOtherPositionsAndOlderGenerationsAreIgnored) {
  open(10, 3);
  auto position = *pump().next();
  pump().on_fetched(position.generation, SourceOffset(11), batch(11), state(20), now_);
  pump().on_fetched(position.generation - 1, SourceOffset(10), batch(10), state(20), now_);
  EXPECT_FALSE(pump().can_send());
  fetched(batch(10), state(20));
  auto pumped = pump().take(1 << 20);
  ASSERT_TRUE(pumped);
  pump().on_append_failed(pumped->generation, Error(ErrorCode::kConnectionReset), std::nullopt);
  open(10, 3, 2);
  pump().on_appended(pumped->generation, ack(*pumped));  // arrives late: it says nothing about this session
  EXPECT_EQ(pump().progress(now_).target_end, SourceOffset(10));
}

TEST_F(PumpTest, FailedAppendDropsLaterBatchesAndTakesTheTargetsState) {
  open(0);
  fetched(batch(0, 5), state(15));
  auto first = pump().take(1);
  fetched(batch(5, 5), state(15));
  auto second = pump().take(1);
  fetched(batch(10, 5), state(15));
  ASSERT_TRUE(first && second);
  pump().on_append_failed(first->generation, Error(ErrorCode::kTimedOut), std::nullopt);
  pump().on_append_failed(second->generation, Error(ErrorCode::kTimedOut), std::nullopt);
  EXPECT_EQ(pump().control_request().kind, ControlRequest::Kind::kOpen);
  EXPECT_EQ(pump().failed_appends(), 1);
  EXPECT_FALSE(pump().can_send());
  open(5, 3, 2);  // the first had been applied after all
  EXPECT_EQ(pump().next()->offset, SourceOffset(5));
  fetched(batch(5, 5), state(15));
  auto again = pump().take(1);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->session, PumpSession(2));
  EXPECT_EQ(again->expected_end, SourceOffset(5));
  pump().on_appended(again->generation, ack(*again));
  EXPECT_EQ(pump().failed_appends(), 0);
}

TEST_F(PumpTest, FencedAppendFailsThePartition) {
  open(0);
  fetched(batch(0), state(1));
  auto pumped = pump().take(1);
  pump().on_append_failed(pumped->generation, Error(ErrorCode::kFenced, "epoch 8 owns it"), std::nullopt);
  EXPECT_EQ(pump().phase(), PumpPhase::kFailed);
  EXPECT_EQ(recorder_.failure.code, ErrorCode::kFenced);
  EXPECT_FALSE(pump().next());
  pump().restart();
  EXPECT_EQ(pump().control_request().kind, ControlRequest::Kind::kOpen);
}

TEST_F(PumpTest, RefusedAppendsAndControlRequestsAreCountedByKind) {
  Error full(ErrorCode::kNoSpace, "full"), gone(ErrorCode::kTimedOut, "gone");
  pump().on_control_failed(pump().generation(), gone);
  open(0);
  fetched(batch(0, 5), state(5));
  ASSERT_TRUE(pump().take(1 << 20));
  const uint32_t sent = pump().generation();
  pump().on_append_failed(sent, full, std::nullopt);
  pump().on_append_failed(sent, full, std::nullopt);  // of a generation that is over: part of the same failure
  const std::map<std::pair<PumpProblem, ErrorCode>, int> expected{
      {{PumpProblem::kControlRequest, ErrorCode::kTimedOut}, 1}, {{PumpProblem::kAppend, ErrorCode::kNoSpace}, 1}};
  EXPECT_EQ(recorder_.troubles, expected);
}

TEST_F(PumpTest, AppendWithoutBatchesDoesNotEndTheBackoffAfterARefusedOne) {
  open(0);
  for (int i = 1; i <= 3; ++i) {
    fetched(batch(0, 5), state(5));
    ASSERT_TRUE(pump().take(1 << 20));
    pump().on_append_failed(pump().generation(), Error(ErrorCode::kNoSpace, "full"), std::nullopt);
    EXPECT_EQ(pump().failed_appends(), i);
    open(0, -1, i + 1);
    auto news = pump().take(1 << 20);
    ASSERT_TRUE(news && news->run.empty());
    AppendAck nothing;  // the target's end stays 0
    pump().on_appended(news->generation, nothing);
    EXPECT_EQ(pump().failed_appends(), i);
  }
  fetched(batch(0, 5), state(5));
  auto pumped = pump().take(1 << 20);
  ASSERT_TRUE(pumped);
  pump().on_appended(pumped->generation, ack(*pumped));
  EXPECT_EQ(pump().failed_appends(), 0);
}

TEST_F(PumpTest, FullPumpFetchesNothingUntilTheSinkTookSome) {
  options_.buffered_bytes_max = 1000;
  open(0);
  EXPECT_EQ(fetched(batch(0, 1, 3, 2000), state(10)), 0u);
  EXPECT_FALSE(pump().next());
  int changes = recorder_.fetch_changes;
  ASSERT_TRUE(pump().take(1));
  EXPECT_GT(recorder_.fetch_changes, changes);
  EXPECT_TRUE(pump().next());
}

TEST_F(PumpTest, SourceStateWithoutBatchesIsSentOnce) {
  open(10, 3);
  fetched(BatchRun(), state(10, 2));
  auto news = pump().take(1 << 20);
  ASSERT_TRUE(news);
  EXPECT_TRUE(news->run.empty());
  EXPECT_EQ(news->source.log_start, SourceOffset(2));
  pump().on_appended(news->generation, ack(*news));
  EXPECT_FALSE(pump().take(1 << 20));
  fetched(BatchRun(), state(10, 2));
  EXPECT_FALSE(pump().take(1 << 20));
  fetched(BatchRun(), state(10, 6));
  EXPECT_EQ(recorder_.log_start_seen, SourceOffset(6));
  news = pump().take(1 << 20);
  ASSERT_TRUE(news);
  EXPECT_EQ(news->source.log_start, SourceOffset(6));
}

TEST_F(PumpTest, CatchingUpIsReportedEachTime) {
  open(0);
  fetched(batch(0, 5), state(5));
  auto pumped = pump().take(1 << 20);
  EXPECT_EQ(recorder_.caught_up, 0);
  pump().on_appended(pumped->generation, ack(*pumped));
  EXPECT_EQ(recorder_.caught_up, 1);
  fetched(batch(5, 5), state(10));
  pumped = pump().take(1 << 20);
  pump().on_appended(pumped->generation, ack(*pumped));
  EXPECT_EQ(recorder_.caught_up, 2);
}

TEST_F(PumpTest, LagIsSinceTheOldestMissingOffsetWasKnown) {
  open(0);
  fetched(batch(0, 5), state(100));
  EXPECT_EQ(pump().progress(now_ + seconds(3)).lag, seconds(3));
  auto pumped = pump().take(1 << 20);
  now_ += seconds(5);
  fetched(batch(5, 95), state(150));
  pump().on_appended(pumped->generation, ack(*pumped));
  EXPECT_EQ(pump().progress(now_).lag, seconds(5));
  pumped = pump().take(1 << 20);
  pump().on_appended(pumped->generation, ack(*pumped));
  now_ += seconds(1);
  EXPECT_EQ(pump().progress(now_).lag, seconds(1));  // offsets 100..149 are known since then
  EXPECT_EQ(pump().progress(now_).lag_offsets, 50);
}

TEST_F(PumpTest, LagOfATargetThatLostItsTailIsAsOldAsTheNews) {
  open(0);
  fetched(batch(0, 10), state(10));
  auto pumped = pump().take(1 << 20);
  pump().on_appended(pumped->generation, ack(*pumped));
  EXPECT_EQ(pump().progress(now_ + seconds(3)).lag, Duration(0));
  pump().on_append_failed(pump().generation(), Error(ErrorCode::kConnectionReset), std::nullopt);
  open(0, -1, 2);
  EXPECT_EQ(pump().progress(now_ + seconds(3)).lag_offsets, 10);
  EXPECT_EQ(pump().progress(now_ + seconds(3)).lag, seconds(3));
}

TEST_F(PumpTest, AnswerThatIsLateForItsBatchesStillSaysWhereTheSourceIs) {
  open(10, 3);
  pump().on_append_failed(pump().generation(), Error(ErrorCode::kConnectionReset), std::nullopt);
  pump().on_late_answer(state(20), now_);
  open(10, 3, 2);
  EXPECT_EQ(pump().progress(now_).source.high_watermark, SourceOffset(20));
  EXPECT_EQ(pump().progress(now_).lag_offsets, 10);
  EXPECT_EQ(pump().next()->offset, SourceOffset(10));
}

// The fetch session does not say it again, and the answer dates what is shown of the source.
TEST_F(PumpTest, FailedPumpStillHearsWhereTheSourceIs) {
  open(10, 3);
  fetched({}, state(10));
  pump().on_append_failed(pump().generation(), Error(ErrorCode::kFenced), std::nullopt);
  ASSERT_EQ(pump().phase(), PumpPhase::kFailed);
  pump().on_late_answer(state(20), now_);
  EXPECT_EQ(pump().progress(now_).source.high_watermark, SourceOffset(20));
  EXPECT_EQ(pump().progress(now_).lag_offsets, 10);
  EXPECT_EQ(pump().phase(), PumpPhase::kFailed);
}

TEST_F(PumpTest, PausedPumpNeitherFetchesNorSends) {
  open(0);
  fetched(batch(0, 5), state(5));
  pump().pause();
  EXPECT_FALSE(pump().next());
  EXPECT_FALSE(pump().take(1));
  pump().resume();
  EXPECT_EQ(pump().control_request().kind, ControlRequest::Kind::kOpen);
}

TEST_F(PumpTest, DeletedTopicFailsThePartition) {
  open(0);
  pump().on_topic_gone(Error(ErrorCode::kNotFound, "deleted"));
  EXPECT_EQ(recorder_.gone, 1);
  EXPECT_EQ(recorder_.failure.code, ErrorCode::kNone) << "what pump_failed() says with kNotFound is about the target";
  EXPECT_EQ(pump().phase(), PumpPhase::kFailed);
}

}  // namespace
}  // namespace farshore::replicator
