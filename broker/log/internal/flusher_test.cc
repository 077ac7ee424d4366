#include "broker/log/internal/flusher.h"

#include "broker/log/testing/log_fixture.h"

namespace farshore::log_test {
namespace {

struct FlusherTest : LogTest {
  static Task<void> flush(Log& log, int& done) {
    auto flushed = co_await log.flush();
    done += flushed.has_value();
  }
};

TEST_F(FlusherTest, ConcurrentFlushesShareOneSync) {
  fill(3);
  EXPECT_EQ(log->ends().flushed_end, Offset(0));
  ASSERT_TRUE(run(log->flush()));
  EXPECT_EQ(log->ends().flushed_end, Offset(6));
  fill(1);
  disk().set_instant(false);
  const uint64_t before = disk().operations(DiskOp::kSync);
  int done = 0;
  for (int i = 0; i < 5; ++i) host->world().spawn(host->env(), flush(*log, done));
  host->world().run_for(seconds(1));
  EXPECT_EQ(done, 5);
  EXPECT_EQ(disk().operations(DiskOp::kSync) - before, 1U);
}

TEST_F(FlusherTest, FailedSyncMakesEveryLaterCallFail) {
  fill(1);
  disk().fail_next(DiskOp::kSync, "");
  EXPECT_EQ(run(log->flush()).error(), ErrorCode::kIo);
  EXPECT_EQ(append(batch_of(1)).error(), ErrorCode::kIo);
  EXPECT_EQ(run(log->flush()).error(), ErrorCode::kIo);
  EXPECT_EQ(run(log->close()).error(), ErrorCode::kIo);
  EXPECT_EQ(log->ends().flushed_end, Offset(0));
}

}  // namespace
}  // namespace farshore::log_test
