// What a pump does when source and target do not agree: gaps, divergence, bytes that are no batches.
#include "replicator/testing/pump_fixture.h"

namespace farshore::replicator {
namespace {

TEST_F(PumpTest, CompactionGapIsKeptIfTheSourceStillHasThePosition) {
  open(10, 3);
  fetched(batch(17, 2), state(19, /*log_start=*/4));
  auto pumped = pump().take(1 << 20);
  ASSERT_TRUE(pumped);
  EXPECT_EQ(pumped->expected_end, SourceOffset(10));
  EXPECT_EQ(pumped->run.first(), Offset(17));
  EXPECT_TRUE(recorder_.gaps.empty());
}

TEST_F(PumpTest, GapBelowTheLogStartIsARetentionGap) {
  open(10, 3);
  fetched(batch(17, 2), state(19, /*log_start=*/17));
  EXPECT_FALSE(pump().can_send());
  ControlRequest control_request = pump().control_request();
  EXPECT_EQ(control_request.kind, ControlRequest::Kind::kAdvance);
  EXPECT_EQ(control_request.offset, SourceOffset(17));
  open(17, -1, 2);
  ASSERT_EQ(recorder_.gaps.size(), 1u);
  EXPECT_EQ(recorder_.gaps[0].from, 10);
  EXPECT_EQ(recorder_.gaps[0].to, 17);
  EXPECT_TRUE(recorder_.gaps[0].skipped);
  EXPECT_EQ(pump().next()->offset, SourceOffset(17));
}

TEST_F(PumpTest, RetentionGapStopsThePartitionIfThePolicySaysSo) {
  options_.on_retention_gap = OnMismatch::kStop;
  open(10, 3);
  pump().on_out_of_range(pump().generation(), state(40, 17), SourceOffset(40), now_);
  fetched(batch(17, 23), state(40, 17));
  EXPECT_EQ(pump().phase(), PumpPhase::kFailed);
  ASSERT_EQ(recorder_.gaps.size(), 1u);
  EXPECT_FALSE(recorder_.gaps[0].skipped);
}

// DeleteRecords moves the log start to any offset; Kafka Streams does so all the time.
TEST_F(PumpTest, TargetGoesOnAtTheBaseOfTheBatchThatHoldsTheSourcesLogStart) {
  open(0);
  pump().on_out_of_range(pump().generation(), state(30, 15), SourceOffset(30), now_);
  ASSERT_TRUE(pump().next());
  EXPECT_EQ(pump().next()->offset, SourceOffset(15));
  EXPECT_EQ(pump().next()->last_fetched_epoch, LogEpoch(-1));
  fetched(batch(10, 10), state(30, 15));
  EXPECT_EQ(pump().control_request().kind, ControlRequest::Kind::kAdvance);
  EXPECT_EQ(pump().control_request().offset, SourceOffset(10));
  open(10, -1, 2);
  ASSERT_EQ(recorder_.gaps.size(), 1U);
  EXPECT_EQ(recorder_.gaps[0].to, 15) << "the source has nothing below it that anybody may read";
  pump().on_out_of_range(pump().generation(), state(30, 15), SourceOffset(30), now_);
  fetched(batch(10, 10), state(30, 15));
  auto pumped = pump().take(1 << 20);
  ASSERT_TRUE(pumped);
  EXPECT_EQ(pumped->run.first(), Offset(10));
  EXPECT_EQ(pumped->source.log_start, SourceOffset(15));
  EXPECT_EQ(pump().next()->offset, SourceOffset(20));
  EXPECT_TRUE(recorder_.diverged.empty());
}

TEST_F(PumpTest, BatchThatHoldsTheLogStartAndFollowsTheTargetIsNoGap) {
  options_.on_retention_gap = OnMismatch::kStop;
  open(10, 3);
  pump().on_out_of_range(pump().generation(), state(30, 15), SourceOffset(30), now_);
  fetched(batch(10, 10), state(30, 15));
  fetched(batch(20, 10), state(30, 15));
  auto pumped = pump().take(1 << 20);
  ASSERT_TRUE(pumped);
  EXPECT_EQ(pumped->expected_end, SourceOffset(10));
  EXPECT_EQ(end_of(*pumped), 30);
  EXPECT_TRUE(recorder_.gaps.empty());
}

TEST_F(PumpTest, TargetGoesOnAtTheStartOfAnEmptySource) {
  open(10, 3);
  pump().on_out_of_range(pump().generation(), state(40, 40), SourceOffset(40), now_);
  fetched(BatchRun(), state(40, 40));
  EXPECT_EQ(pump().control_request().kind, ControlRequest::Kind::kAdvance);
  EXPECT_EQ(pump().control_request().offset, SourceOffset(40));
}

TEST_F(PumpTest, LogStartThatMovesOnWhileItIsLookedForIsLookedForAgain) {
  open(0);
  pump().on_out_of_range(pump().generation(), state(30, 15), SourceOffset(30), now_);
  pump().on_out_of_range(pump().generation(), state(40, 33), SourceOffset(40), now_);
  EXPECT_EQ(pump().next()->offset, SourceOffset(33));
  fetched(batch(30, 10), state(40, 33));
  EXPECT_EQ(pump().control_request().offset, SourceOffset(30));
}

// As gateways before this rule left it: the target was set to 15, where the source has a batch of [10, 20).
TEST_F(PumpTest, EmptyTargetInsideABatchIsSetToItsBaseAndLosesNothing) {
  options_.on_divergence = OnMismatch::kStop;
  ASSERT_EQ(pump().control_request().kind, ControlRequest::Kind::kOpen);
  TargetState empty = target(15, -1, 1);
  empty.log_start = SourceOffset(15);
  pump().on_target(pump().generation(), empty, {});
  fetched(batch(10, 10), state(30, 15));
  EXPECT_EQ(pump().control_request().kind, ControlRequest::Kind::kTruncate);
  EXPECT_EQ(pump().control_request().offset, SourceOffset(10));
  open(10, -1, 2);
  EXPECT_EQ(pump().phase(), PumpPhase::kRunning);
  EXPECT_TRUE(recorder_.diverged.empty());
}

TEST_F(PumpTest, DivergenceTruncatesAndNamesTheLostRange) {
  open(100, 7);
  pump().on_diverged(pump().generation(), LogEpoch(6), SourceOffset(90));
  ControlRequest control_request = pump().control_request();
  EXPECT_EQ(control_request.kind, ControlRequest::Kind::kTruncate);
  EXPECT_EQ(control_request.offset, SourceOffset(90));
  EXPECT_EQ(control_request.epoch, LogEpoch(6));
  LostRange lost;
  lost.from = SourceOffset(90);
  lost.to = SourceOffset(100);
  pump().on_target(pump().generation(), target(90, 6, 2), lost);
  ASSERT_EQ(recorder_.diverged.size(), 1u);
  EXPECT_EQ(recorder_.diverged[0].first.from, SourceOffset(90));
  EXPECT_EQ(recorder_.diverged[0].first.to, SourceOffset(100));
  EXPECT_EQ(recorder_.diverged[0].first.last_epoch, LogEpoch(7));
  EXPECT_TRUE(recorder_.diverged[0].second);
  EXPECT_EQ(pump().next()->last_fetched_epoch, LogEpoch(6));
}

TEST_F(PumpTest, TruncationWhoseAnswerWasLostIsNamedWhenTheTargetIsOpenAgain) {
  open(100, 7);
  pump().on_diverged(pump().generation(), LogEpoch(6), SourceOffset(90));
  pump().on_control_failed(pump().generation(), Error(ErrorCode::kTimedOut));
  pump().on_control_failed(pump().generation(), Error(ErrorCode::kConflict));  // its session ended with the truncation
  EXPECT_EQ(pump().control_request().kind, ControlRequest::Kind::kOpen);
  open(90, 6, 2);
  ASSERT_EQ(recorder_.diverged.size(), 1u);
  EXPECT_EQ(recorder_.diverged[0].first.from, SourceOffset(90));
  EXPECT_EQ(recorder_.diverged[0].first.to, SourceOffset(100));
  EXPECT_TRUE(recorder_.diverged[0].second);
}

TEST_F(PumpTest, TruncationThatWasNotCarriedOutNamesNothing) {
  open(100, 7);
  pump().on_diverged(pump().generation(), LogEpoch(6), SourceOffset(90));
  pump().on_control_failed(pump().generation(), Error(ErrorCode::kConflict));
  open(100, 7, 2);
  EXPECT_TRUE(recorder_.diverged.empty());
}

TEST_F(PumpTest, GapWhoseAnswerWasLostIsNamedWhenTheTargetIsOpenAgain) {
  open(10, 3);
  fetched(batch(17, 2), state(19, /*log_start=*/17));
  ASSERT_EQ(pump().control_request().kind, ControlRequest::Kind::kAdvance);
  pump().on_control_failed(pump().generation(), Error(ErrorCode::kTimedOut));
  pump().on_control_failed(pump().generation(), Error(ErrorCode::kConflict));
  TargetState advanced = target(17, -1, 2);
  advanced.log_start = SourceOffset(17);
  pump().on_target(pump().generation(), advanced, {});
  ASSERT_EQ(recorder_.gaps.size(), 1u);
  EXPECT_EQ(recorder_.gaps[0].from, 10);
  EXPECT_EQ(recorder_.gaps[0].to, 17);
}

TEST_F(PumpTest, LagIsZeroAgainWhenTheSourceSaidWithTheDivergenceThatItIsEmpty) {
  open(0, -1);
  fetched(batch(0, 12), state(12, 0));
  pump().on_source_state(pump().generation(), state(0, 0), now_);
  pump().on_diverged(pump().generation(), LogEpoch(-1), SourceOffset(0));
  pump().on_target(pump().generation(), target(0, -1, 2), {});
  EXPECT_EQ(pump().progress(now_).lag_offsets, 0);  // a fetch session says no more of a partition without news
}

TEST_F(PumpTest, DivergenceStopsThePartitionIfThePolicySaysSo) {
  options_.on_divergence = OnMismatch::kStop;
  open(100, 7);
  pump().on_diverged(pump().generation(), LogEpoch(6), SourceOffset(90));
  EXPECT_EQ(pump().phase(), PumpPhase::kFailed);
  ASSERT_EQ(recorder_.diverged.size(), 1u);
  EXPECT_EQ(recorder_.diverged[0].first.from, SourceOffset(90));
  EXPECT_FALSE(recorder_.diverged[0].second);
}

// Fetch says it so: the first epoch of such a source begins where its log begins, and is above ours.
TEST_F(PumpTest, SourceThatLostEverythingStopsThePartitionAndTakesNothingWithIt) {
  open(100, 7);
  pump().on_diverged(pump().generation(), LogEpoch(7), SourceOffset(0));
  EXPECT_EQ(pump().phase(), PumpPhase::kFailed);
  EXPECT_EQ(pump().control_request().kind, ControlRequest::Kind::kNone);
  ASSERT_EQ(recorder_.diverged.size(), 1u);
  EXPECT_EQ(recorder_.diverged[0].first.from, SourceOffset(0));
  EXPECT_EQ(recorder_.diverged[0].first.to, SourceOffset(100));
  EXPECT_FALSE(recorder_.diverged[0].second);
  // The operator's word.
  options_.may_cut_all = true;
  pump().restart();
  open(100, 7, 2);
  pump().on_diverged(pump().generation(), LogEpoch(7), SourceOffset(0));
  EXPECT_EQ(pump().control_request().kind, ControlRequest::Kind::kTruncate);
  EXPECT_EQ(pump().control_request().offset, SourceOffset(0));
}

TEST_F(PumpTest, SourceThatEndsBelowTheMirrorsStartStopsThePartition) {
  ASSERT_EQ(pump().control_request().kind, ControlRequest::Kind::kOpen);
  TargetState trimmed = target(100, 7, 1);
  trimmed.log_start = SourceOffset(50);
  pump().on_target(pump().generation(), trimmed, {});
  pump().on_out_of_range(pump().generation(), state(30), SourceOffset(30), now_);
  EXPECT_EQ(pump().phase(), PumpPhase::kFailed);
  ASSERT_EQ(recorder_.diverged.size(), 1u);
  EXPECT_EQ(recorder_.diverged[0].first.from, SourceOffset(50));
}

TEST_F(PumpTest, MirrorWithoutRecordsFollowsASourceWithoutACommonEpoch) {
  ASSERT_EQ(pump().control_request().kind, ControlRequest::Kind::kOpen);
  TargetState empty = target(40, -1, 1);
  empty.log_start = SourceOffset(40);
  pump().on_target(pump().generation(), empty, {});
  pump().on_out_of_range(pump().generation(), state(0), SourceOffset(0), now_);
  EXPECT_EQ(pump().control_request().kind, ControlRequest::Kind::kTruncate);
}

// Its epochs are all older than the mirror's: it was restored from an old copy. Each fetch is refused as out of range.
TEST_F(PumpTest, SourceThatDoesNotKnowOurEpochStopsThePartitionInsteadOfBeingAskedForEver) {
  open(100, 7);
  for (int i = 0; i < 2; ++i) {
    pump().on_out_of_range(pump().generation(), state(120), SourceOffset(120), now_);
    EXPECT_EQ(pump().phase(), PumpPhase::kRunning);
  }
  pump().on_out_of_range(pump().generation(), state(120), SourceOffset(120), now_);
  EXPECT_EQ(pump().phase(), PumpPhase::kFailed);
  EXPECT_EQ(recorder_.diverged.size(), 1u);
}

TEST_F(PumpTest, SourceThatLostItsTailHasDiverged) {
  open(100, 7);
  pump().on_out_of_range(pump().generation(), state(60), SourceOffset(60), now_);
  EXPECT_EQ(pump().control_request().kind, ControlRequest::Kind::kTruncate);
  EXPECT_EQ(pump().control_request().offset, SourceOffset(60));
}

TEST_F(PumpTest, TargetThatEndsInsideABatchOfTheSourceHasDiverged) {
  open(13, 3);
  fetched(batch(10, 10), state(20));
  EXPECT_EQ(pump().control_request().kind, ControlRequest::Kind::kTruncate);
  EXPECT_EQ(pump().control_request().offset, SourceOffset(10));
}

TEST_F(PumpTest, TruncationThatChangesNothingFailsThePartition) {
  open(100, 7);
  pump().on_diverged(pump().generation(), LogEpoch(6), SourceOffset(100));
  pump().on_target(pump().generation(), target(100, 7, 2), {});
  EXPECT_EQ(pump().phase(), PumpPhase::kFailed);
}

TEST_F(PumpTest, TruncationWhoseSessionEndedOpensANewSession) {
  open(100, 7);
  pump().on_diverged(pump().generation(), LogEpoch(6), SourceOffset(90));
  pump().on_control_failed(pump().generation(), Error(ErrorCode::kConflict, "stale"));
  EXPECT_EQ(pump().control_request().kind, ControlRequest::Kind::kOpen);
}

TEST_F(PumpTest, BadChecksumKeepsTheGoodBatchesAndFailsAfterSeveralTries) {
  open(0);
  for (int i = 0; i < options_.corrupt_fetches_max; ++i) {
    BatchRun run = i == 0 ? batch(0, 5) : BatchRun();
    BatchRun bad = batch(5, 5);
    std::byte flipped[] = {std::byte(0xff)};
    bad.bytes.patch(70, flipped);
    run.append(std::move(bad));
    EXPECT_EQ(pump().phase(), PumpPhase::kRunning);
    fetched(std::move(run), state(10));
    if (i == 0) {
      EXPECT_EQ(pump().next()->offset, SourceOffset(5));
    }
  }
  EXPECT_EQ(pump().phase(), PumpPhase::kFailed);
  EXPECT_EQ(recorder_.failure.code, ErrorCode::kCorrupt);
  const int counted = recorder_.troubles[{PumpProblem::kCorrupt, ErrorCode::kCorrupt}];
  EXPECT_EQ(counted, options_.corrupt_fetches_max) << "each of them is counted";
}

TEST_F(PumpTest, EpochThatGoesBackIsRefused) {
  open(0);
  fetched(batch(0, 5, 4), state(10));
  fetched(batch(5, 5, 3), state(10));
  EXPECT_EQ(pump().next()->offset, SourceOffset(5));
}

}  // namespace
}  // namespace farshore::replicator
