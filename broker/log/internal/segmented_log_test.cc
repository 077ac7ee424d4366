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

}  // namespace
}  // namespace farshore::log_test
