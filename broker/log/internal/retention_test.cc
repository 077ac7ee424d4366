#include "broker/log/internal/retention.h"

#include "base/gate.h"
#include "broker/log/testing/log_fixture.h"

namespace farshore::log_test {
namespace {

struct RetentionTest : LogTest {};

TEST_F(RetentionTest, RaisedLogStartDeletesWholeSegmentsBelowIt) {
  options.segment_bytes = 500;
  set_options();
  fill(30, 2, 4);
  EXPECT_EQ(run(log->advance_log_start(Offset(10))).error(), ErrorCode::kOutOfRange) << "not committed";
  commit();
  size_t segments = files(".log").size();
  ASSERT_TRUE(run(log->advance_log_start(Offset(31))));
  EXPECT_LT(files(".log").size(), segments);
  EXPECT_EQ(run(log->read(Offset(30), ReadBound::kLogEnd, 100)).error(), ErrorCode::kOutOfRange);
  EXPECT_EQ(bases(31).front(), 30) << "the batch that holds it";
  EXPECT_EQ(log->epoch_end(LogEpoch(3)).end, Offset(31));
  ASSERT_TRUE(reopen_killed());
  EXPECT_EQ(log->ends().log_start, Offset(31));
  ASSERT_TRUE(run(log->advance_log_start(Offset(60))));
  EXPECT_EQ(log->ends().log_start, Offset(60));
  ASSERT_TRUE(append(batch_of(1), 4));
}

Task<void> apply_retention_task(Log& log, int& deleted) {
  auto applied = co_await log.apply_retention();
  if (applied) deleted = *applied;
}

Task<void> append_task(Log& log, BatchRun run, sim::SimDisk& disk, uint64_t& removed_before) {
  auto appended = co_await log.append(std::move(run), AppendOrigin::kClient, LogEpoch(0));
  EXPECT_TRUE(appended);
  removed_before = disk.operations(sim::DiskOp::kRemove);
}

// How many files had been removed when an append was done that had begun while the log start was being stored.
Task<Result<uint64_t>> append_during_retention(Env& env, Log& log, BatchRun run, sim::SimDisk& disk, int& deleted) {
  uint64_t removed_before = 0;
  Gate both(env);
  disk.at_operation(1, [&] { spawn(both, "append", append_task(log, std::move(run), disk, removed_before)); });
  EXPECT_TRUE(spawn(both, "retention", apply_retention_task(log, deleted)));
  co_await both.close();
  co_return removed_before;
}

TEST_F(RetentionTest, AppendDoesNotWaitUntilAllSegmentsAreDeleted) {
  options.segment_bytes = 500;
  set_options();
  fill(120);
  commit();
  options.retention_bytes = 500;
  set_options();
  const uint64_t before = disk().operations(sim::DiskOp::kRemove);
  int deleted = 0;
  const uint64_t removed_before_the_append =
      run(append_during_retention(host->env(), *log, batch_of(1).build_run(arena), disk(), deleted)).value();
  ASSERT_GT(deleted, 20);
  const uint64_t removed = disk().operations(sim::DiskOp::kRemove) - before;
  EXPECT_LT((removed_before_the_append - before) * 4, removed) << deleted << " segments";
}

TEST_F(RetentionTest, RaiseOfTheLogStartDeletesAFewSegmentsAndRetentionTheOthers) {
  options.segment_bytes = 500;
  options.retention_ms = -1;
  set_options();
  fill(120);
  commit();
  const size_t segments = files(".log").size();
  ASSERT_GT(segments, 20U);
  ASSERT_TRUE(run(log->advance_log_start(log->ends().end)));
  EXPECT_EQ(files(".log").size(), segments - 8);
  EXPECT_EQ(run(log->read(Offset(239), ReadBound::kLogEnd, 100)).error(), ErrorCode::kOutOfRange);
  EXPECT_EQ(run(log->apply_retention()).value(), static_cast<int>(segments - 8 - 1));
  EXPECT_EQ(files(".log").size(), 1U);
  ASSERT_TRUE(append(batch_of(1)));
  ASSERT_TRUE(reopen_killed());
  EXPECT_EQ(log->ends().log_start, Offset(240));
}

// Also a write inside a file may need room: after a power loss, or where the file system copies on write.
TEST_F(RetentionTest, LogStartThatAFullDiskRefusesIsNotRaised) {
  options.segment_bytes = 500;
  set_options();
  fill(30, 2, 4);
  commit();
  const size_t segments = files(".log").size();
  disk().set_capacity(disk().used_bytes() - 1);
  EXPECT_EQ(run(log->advance_log_start(Offset(31))).error(), ErrorCode::kNoSpace);
  EXPECT_EQ(log->ends().log_start, Offset(0));
  EXPECT_EQ(run(log->apply_retention()).value(), 0) << "a restart would miss what is deleted now";
  EXPECT_EQ(files(".log").size(), segments);
  ASSERT_TRUE(reopen_killed());
  EXPECT_EQ(log->ends().log_start, Offset(0));
  EXPECT_EQ(bases(0).front(), 0);
  commit();
  ASSERT_TRUE(run(log->advance_log_start(Offset(31))));
  EXPECT_LT(files(".log").size(), segments);
  ASSERT_TRUE(reopen_killed());
  EXPECT_EQ(log->ends().log_start, Offset(31));
}

TEST_F(RetentionTest, RaisedLogStartIsSeenOnlyWhenItIsStored) {
  fill(10);
  commit();
  Offset at_write(-1), at_sync(-1);
  disk().at_operation(1, [&] {
    at_write = log->ends().log_start;
    disk().at_operation(1, [&] { at_sync = log->ends().log_start; });
  });
  ASSERT_TRUE(run(log->advance_log_start(Offset(8))));
  EXPECT_EQ(at_write, Offset(0));
  EXPECT_EQ(at_sync, Offset(0));
  EXPECT_EQ(log->ends().log_start, Offset(8));
  ASSERT_TRUE(reopen_killed());
  EXPECT_EQ(log->ends().log_start, Offset(8));
}

TEST_F(RetentionTest, FlushBesideARaiseDoesNotStoreTheLogStartFromBefore) {
  options.segment_bytes = 500;
  set_options();
  fill(30);
  commit();
  Gate flushes(host->env());
  auto flush = [](Log& flushed) -> Task<void> { EXPECT_TRUE(co_await flushed.flush()); };
  // Before the checkpoint with the new start is synced: the flush comes to its own checkpoint meanwhile.
  disk().at_operation(2, [&] { spawn(flushes, "flush", flush(*log)); });
  ASSERT_TRUE(run(log->advance_log_start(Offset(31))));
  auto ended = [](Gate& gate) -> Task<Status> {
    co_await gate.close();
    co_return ok();
  };
  ASSERT_TRUE(run(ended(flushes)));
  ASSERT_TRUE(reopen_killed());
  EXPECT_EQ(log->ends().log_start, Offset(31));
}

TEST_F(RetentionTest, RetentionByTimeDeletesNothingAboveTheHighWatermark) {
  options.segment_bytes = 500;
  options.retention_ms = 1000;
  set_options();
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(append(batch_of(2, host->wall_ms())));
  host->pass_wall_ms(5000);
  EXPECT_EQ(run(log->apply_retention()).value(), 0) << "nothing is committed";
  log->set_high_watermark(Offset(20));
  EXPECT_GT(run(log->apply_retention()).value(), 0);
  EXPECT_LE(log->ends().log_start, Offset(20));
  EXPECT_GT(log->ends().log_start, Offset(0));
  commit();
  EXPECT_GT(run(log->apply_retention()).value(), 0);
  EXPECT_EQ(log->ends().log_start, Offset(40)) << "the active segment rolls and goes too";
  EXPECT_EQ(append(batch_of(1, host->wall_ms()))->first, Offset(40));
  ASSERT_TRUE(reopen_killed());
  EXPECT_EQ(log->ends().log_start, Offset(40));
}

TEST_F(RetentionTest, AnEmptyCleanupPolicyKeepsWhatIsOldAndLarge) {
  options.cleanup_policy = CleanupPolicy::kKeep;
  options.segment_bytes = 500;
  options.retention_ms = 1000;
  options.retention_bytes = 1200;
  set_options();
  fill(40);
  commit();
  host->pass_wall_ms(5000);
  EXPECT_EQ(run(log->apply_retention()).value(), 0);
  EXPECT_EQ(log->ends().log_start, Offset(0));
  options.cleanup_policy = CleanupPolicy::kDelete;
  set_options();
  EXPECT_GT(run(log->apply_retention()).value(), 0);
}

TEST_F(RetentionTest, RetentionBySizeDeletesNothingOnAMirror) {
  options.segment_bytes = 500;
  options.retention_ms = -1;
  options.retention_bytes = 1200;
  options.follows_source = true;
  set_options();
  fill(40);
  commit();
  EXPECT_EQ(run(log->apply_retention()).value(), 0);
  options.follows_source = false;
  set_options();
  EXPECT_GT(run(log->apply_retention()).value(), 0);
  EXPECT_GE(log->size_bytes(), 1200U);
  EXPECT_LE(log->size_bytes(), 1200U + 600U);
}

TEST_F(RetentionTest, IdleProducersExpireUnlessTheyHaveATransaction) {
  BatchBuilder old = batch_of(1, host->wall_ms() - 1000);
  old.producer(1, 0, 0);
  ASSERT_TRUE(append(old));
  BatchBuilder open = batch_of(1, host->wall_ms() - 1000);
  open.producer(2, 0, 0).transactional();
  ASSERT_TRUE(append(open));
  options.producer_id_expiration_ms = 500;
  set_options();
  ASSERT_TRUE(run(log->apply_retention()));
  ASSERT_EQ(log->producers().size(), 1U);
  EXPECT_EQ(log->producers()[0].producer_id, 2);
}

}  // namespace
}  // namespace farshore::log_test
