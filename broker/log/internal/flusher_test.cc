#include "broker/log/internal/flusher.h"

#include "broker/log/testing/log_fixture.h"

namespace farshore::log_test {
namespace {

struct FlusherTest : LogTest {
  static Task<void> flush(Log& log, int& done) {
    auto flushed = co_await log.flush();
    done += flushed.has_value();
  }
  // One run of batches of one record, each with a gap of one offset before it.
  BatchRun run_with_gaps(Offset from, int count) {
    std::vector<std::byte> bytes;
    for (int i = 0; i < count; ++i) {
      BatchBuilder builder;
      auto batch = builder.base_offset(from.value() + 2 * i + 1).add(1, "k", "v").build();
      bytes.insert(bytes.end(), batch.begin(), batch.end());
    }
    return run_of(arena, bytes);
  }
  static Task<void> append_later(Env& env, Log& log, BatchRun run, std::optional<Offset> cut_to, Duration after,
                                 int& done) {
    co_await env.sleep(after);
    if (cut_to) {
      auto cut = co_await log.truncate_to(*cut_to, true);
      EXPECT_TRUE(cut) << cut.error().to_string();
    }
    auto appended = co_await log.append(std::move(run), AppendOrigin::kMirror, LogEpoch(0));
    EXPECT_TRUE(appended) << appended.error().to_string();
    done += appended.has_value();
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

// The notes of gaps are many, so a flush empties the file. Without its note, recovery cuts a batch behind a gap.
TEST_F(FlusherTest, NoteOfAnAppendThatRunsBesideAFlushIsKept) {
  constexpr int kBatches = 3000;
  for (const bool cut : {false, true}) {
    for (uint64_t seed = 1; seed <= 40; ++seed) {
      SCOPED_TRACE((cut ? "cut, seed " : "seed ") + std::to_string(seed));
      close();
      host = std::make_unique<LogHost>(seed);
      ASSERT_TRUE(open());
      ASSERT_TRUE(run(log->append(run_with_gaps(Offset(0), kBatches), AppendOrigin::kMirror, LogEpoch(0))));
      const Offset end = log->ends().end;
      const Offset from = cut ? end - 100 : end;
      disk().set_instant(false);
      disk().set_slow(microseconds(50), microseconds(500));
      int done = 0;
      host->world().spawn(host->env(), flush(*log, done));
      host->world().spawn(
          host->env(), append_later(host->env(), *log, run_with_gaps(from, 1), cut ? std::optional(from) : std::nullopt,
                                    microseconds(static_cast<int64_t>(seed) * 400), done));
      host->world().run_for(seconds(1));
      ASSERT_EQ(done, 2);
      disk().set_instant(true);
      ASSERT_EQ(log->ends().end, from + 2);
      ASSERT_TRUE(reopen_killed());
      EXPECT_EQ(log->ends().end, from + 2);
    }
  }
}

}  // namespace
}  // namespace farshore::log_test
