#include "broker/log/internal/aborted_txns.h"

#include "broker/log/testing/log_fixture.h"

namespace farshore::log_test {
namespace {

struct AbortedTxnsTest : LogTest {
  // A segment with so many aborted transactions that its index is not kept for long. Returns where it begins.
  Offset fill_segment_with_aborted(int64_t producer) {
    const Offset begin = log->ends().end;
    for (int32_t i = 0; i < 20; ++i) {
      options.segment_bytes = i == 0 ? 1 : 1 << 20;  // the first append rolls
      set_options();
      BatchBuilder data = batch_of(1);
      data.producer(producer, 0, i).transactional();
      EXPECT_TRUE(append(data));
      options.segment_bytes = 1 << 20;
      set_options();
      BatchBuilder marker;
      marker.producer(producer, 0, -1).add_marker(ControlType::kAbort, 0, host->wall_ms());
      EXPECT_TRUE(append(marker, 0, AppendOrigin::kCoordinator));
    }
    return begin;
  }
  static Task<void> read_aborted(Log& log, Offset from) { (void)co_await log.aborted_in(from, from + 1); }
};

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

TEST_F(AbortedTxnsTest, IndexThatIsLargerThanItsSegmentIsMadeAnew) {
  const Offset begin = fill_segment_with_aborted(1);
  (void)fill_segment_with_aborted(2);
  commit();
  close();
  for (const auto& name : files(".txnindex"))
    if (name == path_of(begin, ".txnindex")) disk().put_contents(name, std::string((64 << 20) + 34, '\x01'));
  ASSERT_TRUE(open());
  auto aborted = run(log->aborted_in(begin, begin + 40));
  ASSERT_TRUE(aborted) << aborted.error().to_string();
  EXPECT_EQ(aborted->size(), 20U);
}

TEST_F(AbortedTxnsTest, IndexThatIsRebuiltIsUsedBeforeOthersPushItOut) {
  std::vector<Offset> begins;
  for (int64_t producer = 1; producer <= 3; ++producer) begins.push_back(fill_segment_with_aborted(producer));
  (void)fill_segment_with_aborted(4);
  close();
  for (const auto& name : files(".txnindex"))
    if (name == path_of(begins[2], ".txnindex")) disk().erase(name);
  const LogHost::Files before = host->files();
  for (uint64_t step = 1; step <= 6; ++step) {
    for (uint64_t seed = 1; seed <= 8; ++seed) {
      move_to_host(seed, before);
      ASSERT_TRUE(open());
      disk().at_operation(step, [&] {
        for (int other : {0, 1})
          host->world().spawn(host->env(), read_aborted(*log, begins[static_cast<size_t>(other)]));
      });
      auto aborted = run(log->aborted_in(begins[2], begins[2] + 40));
      ASSERT_TRUE(aborted) << aborted.error().to_string();
      ASSERT_EQ(aborted->size(), 20U) << step << " " << seed;
      for (size_t i = 0; i < aborted->size(); ++i) {
        ASSERT_EQ((*aborted)[i].producer_id, 3) << step << " " << seed;
        ASSERT_EQ((*aborted)[i].first, begins[2] + 2 * static_cast<int64_t>(i));
      }
      close();
    }
  }
}

}  // namespace
}  // namespace farshore::log_test
