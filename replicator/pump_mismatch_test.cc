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
  EXPECT_EQ(pump().phase(), PumpPhase::kFailed);
  ASSERT_EQ(recorder_.gaps.size(), 1u);
  EXPECT_FALSE(recorder_.gaps[0].skipped);
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

TEST_F(PumpTest, DivergenceStopsThePartitionIfThePolicySaysSo) {
  options_.on_divergence = OnMismatch::kStop;
  open(100, 7);
  pump().on_diverged(pump().generation(), LogEpoch(6), SourceOffset(90));
  EXPECT_EQ(pump().phase(), PumpPhase::kFailed);
  ASSERT_EQ(recorder_.diverged.size(), 1u);
  EXPECT_EQ(recorder_.diverged[0].first.from, SourceOffset(90));
  EXPECT_FALSE(recorder_.diverged[0].second);
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
