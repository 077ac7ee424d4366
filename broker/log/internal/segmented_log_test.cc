#include "broker/log/internal/segmented_log.h"

#include "broker/log/testing/log_fixture.h"

namespace farshore::log_test {
namespace {

struct SegmentedLogTest : LogTest {
  struct Calls {
    int begun = 0, ended = 0;
  };
  template <class T>
  static Task<void> count(Calls& calls, Task<T> call) {
    ++calls.begun;
    auto result = co_await std::move(call);
    (void)result;
    ++calls.ended;
  }
};

TEST_F(SegmentedLogTest, CloseWaitsForRunningCalls) {
  options.cleanup_policy = CleanupPolicy::kCompact;
  options.segment_bytes = 500;
  options.min_cleanable_ratio = 0.01;
  set_options();
  fill(20);
  commit();
  disk().set_instant(false);
  Calls calls;
  sim::SimWorld& world = host->world();
  world.spawn(host->env(), count(calls, log->clean()));
  world.spawn(host->env(), count(calls, log->append(batch_of(1).build_run(arena), AppendOrigin::kClient, LogEpoch(0))));
  world.spawn(host->env(), count(calls, log->read(Offset(0), ReadBound::kLogEnd, 1)));
  world.spawn(host->env(), count(calls, log->flush()));
  ASSERT_EQ(world.run_until([&] { return calls.begun == 4; }, seconds(1)), sim::RunEnd::kDone);
  EXPECT_LT(calls.ended, 4) << "nothing is left that close() could wait for";
  EXPECT_TRUE(run(log->close()));
  EXPECT_EQ(calls.ended, 4);
  log.reset();
  EXPECT_TRUE(open());
}

TEST_F(SegmentedLogTest, StartAndStopWithNothingWrittenSyncNothing) {
  fill(3);
  commit();
  ASSERT_TRUE(reopen_clean());
  const auto before = host->files();
  const uint64_t syncs = disk().operations(DiskOp::kSync) + disk().operations(DiskOp::kSyncDir);
  for (int32_t epoch = 1; epoch < 4; ++epoch) {
    ASSERT_TRUE(log->announce_epoch(LogEpoch(epoch)));
    EXPECT_EQ(log->epoch_end(LogEpoch(epoch)).end, Offset(6)) << "clients are told where the epoch begins";
    commit();
    ASSERT_TRUE(reopen_clean());
    EXPECT_TRUE(log->recovery().clean);
  }
  EXPECT_EQ(disk().operations(DiskOp::kSync) + disk().operations(DiskOp::kSyncDir) - syncs, 0U);
  EXPECT_TRUE(host->files() == before);
}

TEST_F(SegmentedLogTest, CleanCloseIsStillKnownAfterAStartWithoutWritesWasKilled) {
  fill(3);
  ASSERT_TRUE(reopen_clean());
  ASSERT_TRUE(log->announce_epoch(LogEpoch(1)));
  ASSERT_TRUE(reopen_killed());
  EXPECT_TRUE(log->recovery().clean);
}

TEST_F(SegmentedLogTest, AnnouncedEpochIsBelievedOnceItHasABatch) {
  fill(3);
  ASSERT_TRUE(reopen_clean());
  ASSERT_TRUE(log->announce_epoch(LogEpoch(5)));
  fill(2, 2, 5);
  ASSERT_TRUE(reopen_killed());
  EXPECT_EQ(log->ends().end, Offset(10)) << "nothing is cut for its new epoch";
  EXPECT_EQ(log->last_epoch(), LogEpoch(5));
  EXPECT_EQ(log->epoch_end(LogEpoch(0)).end, Offset(6));
}

TEST_F(SegmentedLogTest, ReadSaysWhereItsSliceEnds) {
  fill(4, 3);
  commit();
  const auto all = run(log->read(Offset(0), ReadBound::kLogEnd, 1 << 20)).value();
  EXPECT_EQ(all.next, Offset(12));
  const auto one = run(log->read(Offset(4), ReadBound::kLogEnd, 1)).value();
  EXPECT_EQ(one.first, Offset(3));
  EXPECT_EQ(one.next, Offset(6)) << "aborted transactions are looked for up to here";
}

}  // namespace
}  // namespace farshore::log_test
