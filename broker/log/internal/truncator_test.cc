#include "broker/log/internal/truncator.h"

#include "broker/log/testing/log_fixture.h"

namespace farshore::log_test {
namespace {

struct TruncatorTest : LogTest {};

TEST_F(TruncatorTest, TruncationRemovesTheWholeBatchThatHoldsTheOffset) {
  options.segment_bytes = 1000;
  options.index_interval_bytes = 200;
  for (int64_t to = 0; to <= 60; ++to) {
    set_options();
    fill(20, 3, 0);
    ASSERT_TRUE(run(log->truncate_to(Offset(to), false))) << to;
    int64_t end = to / 3 * 3;
    EXPECT_EQ(log->ends().end, Offset(end)) << to;
    EXPECT_EQ(bases(0).size(), static_cast<size_t>(end / 3));
    EXPECT_LE(log->ends().flushed_end, log->ends().end);
    ASSERT_TRUE(append(batch_of(1)));
    EXPECT_EQ(bases(0).size(), static_cast<size_t>(end / 3 + 1));
    ASSERT_TRUE(to % 2 ? reopen_clean() : reopen_killed());
    EXPECT_EQ(log->ends().end, Offset(end + 1));
    EXPECT_EQ(bases(0).size(), static_cast<size_t>(end / 3 + 1));
    ASSERT_TRUE(run(log->reset_to(Offset(0))));
  }
}

TEST_F(TruncatorTest, TruncationBelowTheHighWatermarkNeedsPermission) {
  fill(5);
  commit();
  EXPECT_EQ(run(log->truncate_to(Offset(4), false)).error(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(log->ends().end, Offset(10));
  ASSERT_TRUE(run(log->truncate_to(Offset(4), true)));
  EXPECT_EQ(log->ends().high_watermark, Offset(4));
}

TEST_F(TruncatorTest, InterruptedTruncationIsFinishedByTheNextOne) {
  int stale = 0;
  for (uint64_t n = 1; n <= 60; ++n) {
    close();
    host = std::make_unique<LogHost>(n);
    ASSERT_TRUE(open());
    fill(3, 2, 0);
    fill(2, 2, 1);
    ASSERT_TRUE(run(log->flush()));
    host->die_at_operation(n);
    (void)run(log->truncate_to(Offset(6), true));
    ASSERT_TRUE(reopen_killed());
    if (log->ends().end == Offset(6) && log->last_epoch() == LogEpoch(1)) ++stale;
    for (int time = 0; time < 2; ++time) {
      ASSERT_TRUE(run(log->truncate_to(Offset(6), true)));
      EXPECT_EQ(log->ends().end, Offset(6)) << n;
      EXPECT_EQ(log->last_epoch(), LogEpoch(0)) << n;
      ASSERT_TRUE(reopen_killed());
      EXPECT_EQ(log->last_epoch(), LogEpoch(0)) << n;
    }
  }
  EXPECT_GT(stale, 0) << "no death fell between the cut and the epochs";
}

TEST_F(TruncatorTest, TruncationRestoresEpochsProducersAndTransactions) {
  fill(1, 1, 1);
  BatchBuilder first = batch_of(1);
  first.producer(7, 0, 0).transactional();
  ASSERT_TRUE(append(first, 1));
  ASSERT_TRUE(run(log->begin_epoch(LogEpoch(2))));
  BatchBuilder second = batch_of(1);
  second.producer(7, 0, 1).transactional();
  ASSERT_TRUE(append(second, 2));
  BatchBuilder abort;
  abort.producer(7, 0, -1).add_marker(ControlType::kAbort, 0, host->wall_ms());
  ASSERT_TRUE(append(abort, 2, AppendOrigin::kCoordinator));
  EXPECT_EQ(run(log->aborted_in(Offset(0), Offset(10)))->size(), 1U);
  ASSERT_TRUE(run(log->truncate_to(Offset(2), false)));
  EXPECT_EQ(log->last_epoch(), LogEpoch(1));
  EXPECT_EQ(log->producers().at(0).last_sequence, 0);
  EXPECT_EQ(log->producers().at(0).txn_first, Offset(1));
  EXPECT_TRUE(run(log->aborted_in(Offset(0), Offset(10)))->empty());
  commit();
  EXPECT_EQ(log->ends().last_stable, Offset(1)) << "the transaction is open again";
  EXPECT_EQ(append(second, 2)->first, Offset(2)) << "its sequence is the next one again";
}

}  // namespace
}  // namespace farshore::log_test
