#include "broker/log/internal/retention.h"

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
