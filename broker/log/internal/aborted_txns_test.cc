#include "broker/log/internal/aborted_txns.h"

#include "broker/log/testing/log_fixture.h"

namespace farshore::log_test {
namespace {

struct AbortedTxnsTest : LogTest {};

TEST_F(AbortedTxnsTest, OpenTransactionHoldsTheLastStableOffset) {
  fill(1, 2);
  BatchBuilder data = batch_of(2);
  data.producer(5, 0, 0).transactional();
  ASSERT_TRUE(append(data));
  fill(1, 2);
  commit();
  EXPECT_EQ(log->ends().last_stable, Offset(2));
  EXPECT_EQ(bases(0, 1000, ReadBound::kLastStable), std::vector<int64_t>{0});
  BatchBuilder abort;
  abort.producer(5, 0, -1).add_marker(ControlType::kAbort, 3, host->wall_ms());
  ASSERT_TRUE(append(abort, 0, AppendOrigin::kCoordinator));
  EXPECT_EQ(log->ends().last_stable, Offset(2)) << "the marker is not committed yet";
  commit();
  EXPECT_EQ(log->ends().last_stable, Offset(7));
  for (int round = 0; round < 3; ++round) {
    auto aborted = run(log->aborted_in(Offset(0), Offset(100))).value();
    ASSERT_EQ(aborted.size(), 1U) << round;
    EXPECT_EQ(aborted[0].producer_id, 5);
    EXPECT_EQ(aborted[0].first, Offset(2));
    EXPECT_EQ(aborted[0].last, Offset(6));
    EXPECT_TRUE(run(log->aborted_in(Offset(7), Offset(100)))->empty());
    ASSERT_TRUE(round == 0 ? reopen_clean() : reopen_killed());
  }
  BatchBuilder stale;
  stale.producer(5, 0, -1).add_marker(ControlType::kCommit, 2, host->wall_ms());
  EXPECT_EQ(append(stale, 0, AppendOrigin::kCoordinator)->outcome, AppendOutcome::kCoordinatorFenced);
}

}  // namespace
}  // namespace farshore::log_test
