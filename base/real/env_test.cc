// The parts of RealEnv that only a real process has: threads, signals, shutdown, long waits.
#include "base/real/env.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <thread>

#include "base/contract/stream_contract.h"
#include "base/random.h"
#include "base/real/pool.h"
#include "base/real/testing/harness.h"
#include "base/real/timers.h"

namespace farshore {
namespace {

Task<void> burn(Env& env, BlockingPool& pool, int jobs, std::atomic<int>& running, int& most, int& done) {
  for (int i = 0; i < jobs; ++i) {
    auto job = [&running, i]() -> Result<int> {
      int now = ++running;
      std::this_thread::sleep_for(microseconds(200));
      --running;
      (void)now;
      return i;
    };
    auto result = co_await pool.run(std::move(job), env.in(seconds(30)));
    CO_ASSERT_OK(result);
    EXPECT_EQ(*result, i);
    most = std::max<int>(most, static_cast<int>(pool.jobs()));
    ++done;
  }
}

Task<void> burn_together(Env& env, BlockingPool& pool, int& most, int& done) {
  std::atomic<int> running = 0;
  Gate gate(env);
  for (int i = 0; i < 40; ++i) EXPECT_TRUE(spawn(gate, "burner", burn(env, pool, 10, running, most, done)));
  co_await gate.close();
}

TEST(BlockingPool, PoolRunsEveryJobWithinItsLimit) {
  RealHarness harness;
  BlockingPool pool(harness.env(), "test", 3, 8);
  int most = 0, done = 0;
  harness.run(burn_together(harness.env(), pool, most, done));
  EXPECT_EQ(done, 400);
  EXPECT_LE(most, 8);
  pool.stop();
}

// A job that ends only after its deadline was seen to pass.
Task<void> late_job(Env& env, BlockingPool& pool, ErrorCode& code) {
  auto seen = std::make_shared<std::atomic<bool>>(false);
  auto job = [seen]() -> Status {
    while (!*seen) std::this_thread::sleep_for(milliseconds(1));
    return ok();
  };
  auto result = co_await pool.run(std::move(job), env.in(milliseconds(10)));
  *seen = true;
  code = result ? ErrorCode::kNone : result.error().code;
}

TEST(BlockingPool, JobTimesOutAtItsDeadlineAndStoppedPoolRefusesJobs) {
  RealHarness harness;
  BlockingPool pool(harness.env(), "test", 1, 8);
  ErrorCode code = ErrorCode::kNone;
  harness.run(late_job(harness.env(), pool, code));
  EXPECT_EQ(code, ErrorCode::kTimedOut);
  pool.stop();
  harness.run(late_job(harness.env(), pool, code));
  EXPECT_EQ(code, ErrorCode::kClosed);
}

std::atomic<int> frames{0};
struct Flag {  // counts the frames that hold one; sets a flag when such a frame goes
  explicit Flag(bool& f) : flag(f) { ++frames; }
  Flag(const Flag&) = delete;
  ~Flag() {
    --frames;
    flag = true;
  }
  bool& flag;
};

Task<void> wait_for_ever(Env& env, bool& gone) {
  Flag flag(gone);
  Wait<void> never(env);
  (void)co_await never.wait(Deadline::never());
  ADD_FAILURE() << "resumed";
}

Task<void> accept_for_ever(Env& env, bool& gone) {
  Flag flag(gone);
  Endpoint at{"127.0.0.1", 0};
  auto listener = co_await env.network().listen(std::move(at));
  CO_ASSERT_OK(listener);
  (void)co_await (*listener)->accept();
}

Task<void> read_slowly(BlockingPool& pool, bool& gone) {
  Flag flag(gone);
  auto memory = std::make_unique<std::string>(1 << 20, 'x');
  auto job = [into = memory.get()]() -> Status {
    std::this_thread::sleep_for(milliseconds(50));
    std::fill(into->begin(), into->end(), 'y');  // must still be there
    return ok();
  };
  (void)co_await pool.run(std::move(job));
}

TEST(RealEnv, StopDestroysTheFramesOfAllWaits) {
  bool gone[3] = {};
  RealEnv env;
  Gate gate(env);
  EXPECT_TRUE(spawn(gate, "waiter", wait_for_ever(env, gone[0])));
  EXPECT_TRUE(spawn(gate, "acceptor", accept_for_ever(env, gone[1])));
  EXPECT_TRUE(spawn(gate, "reader", read_slowly(env.pool(), gone[2])));
  std::thread stopper([&env] {
    while (frames < 3) std::this_thread::sleep_for(milliseconds(1));  // all three wait, or are about to
    env.stop();
  });
  env.run();
  stopper.join();
  EXPECT_TRUE(env.dead());
  EXPECT_TRUE(gone[0] && gone[1] && gone[2]);
}

TEST(RealEnv, ShutdownDestroysReadyWorkWithoutRunningIt) {
  RealEnv env;
  bool ran = false;
  auto held = std::make_shared<int>(1);
  env.post([&ran, held] { ran = true; });
  env.shutdown();
  EXPECT_FALSE(ran);
  EXPECT_EQ(held.use_count(), 1);
}

Task<void> note_the_wait(Wait<void> wait, bool& resumed) {
  (void)co_await wait.wait(Deadline::never());
  resumed = true;
}

TEST(RealEnv, ShutdownDoesNotResumeATaskWhoseWaitWasCompleted) {
  RealEnv env;
  Wait<void> wait(env);
  bool resumed = false;
  start(env, note_the_wait(wait, resumed));
  env.run_for(milliseconds(20));
  wait.complete(ok());  // the task is ready now
  env.shutdown();
  EXPECT_FALSE(resumed);
}

TEST(RealEnv, StopBeforeRunIsRemembered) {
  RealEnv env;
  env.stop();
  env.run();
  EXPECT_TRUE(env.dead());
}

Task<void> write_to_a_full_disk(Env& env, ErrorCode& first, ErrorCode& second, uint64_t& size) {
  auto file = co_await env.files().open("/dev/full", OpenMode());
  CO_ASSERT_OK(file);
  ConstBytes piece = as_bytes("no room for this");
  auto written = co_await (*file)->write_at(0, ConstBytesList(&piece, 1));
  first = written ? ErrorCode::kNone : written.error().code;
  written = co_await (*file)->write_at(0, ConstBytesList(&piece, 1));
  second = written ? ErrorCode::kNone : written.error().code;
  size = (*file)->size();
}

TEST(RealFiles, WriteToAFullDiskIsNoSpaceAndLeavesTheFileUsable) {
  RealHarness harness;
  ErrorCode first = ErrorCode::kNone, second = ErrorCode::kNone;
  uint64_t size = 1;
  harness.run(write_to_a_full_disk(harness.env(), first, second, size));
  EXPECT_EQ(first, ErrorCode::kNoSpace);
  EXPECT_EQ(second, ErrorCode::kNoSpace);
  EXPECT_EQ(size, 0u);
}

Task<void> wait_for_signal(RealEnv& env, int& number) {
  env.arm(env.now() + milliseconds(20), [] { ::raise(SIGTERM); });  // here: the next line takes the signal over
  auto signal = co_await env.terminated();
  if (signal) number = *signal;
}

TEST(RealEnv, FirstTerminationSignalBecomesAResult) {
  RealHarness harness;
  int number = 0;
  harness.run(wait_for_signal(harness.env(), number));
  EXPECT_EQ(number, SIGTERM);
}

// A chain of turns between two reads, as between the read of a frame and its handler.
Task<void> hop(Env& env) {
  Wait<int> wait(env);
  env.post([wait]() mutable { wait.complete(1); });
  (void)co_await wait.wait(Deadline::never());
}

Task<void> read_heartbeats(Env& env, Stream& stream, int& heartbeats) {
  for (;;) {
    std::byte one{};
    auto read = co_await read_exact(stream, MutableBytes(&one, 1), Deadline::never());
    if (!read) co_return;
    for (int i = 0; i < 5; ++i) co_await hop(env);
    ++heartbeats;
  }
}

// `before_the_timer`: how many of 20 heartbeats that waited in the socket were handled before a timer that was due
// during the suspension.
Task<void> be_suspended(Env& env, int& before_the_timer) {
  contract::stream_cases::Pair pair;
  co_await contract::stream_cases::open_pair(env, "127.0.0.1", pair);
  int heartbeats = 0;
  bool fired = false;
  Gate gate(env);
  EXPECT_TRUE(spawn(gate, "heartbeats", read_heartbeats(env, *pair.server, heartbeats)));
  co_await hop(env);  // it waits for the socket
  auto sent = co_await contract::stream_cases::write_text(env, *pair.client, std::string(20, 'h'));
  CO_ASSERT_OK(sent);
  env.arm(env.now() + milliseconds(50), [&] {
    before_the_timer = heartbeats;
    fired = true;
  });
  std::this_thread::sleep_for(Timers::kLate * 2);
  while (!fired) co_await hop(env);
  pair.client->close();
  co_await gate.close();
}

TEST(RealEnv, TimersOfALateTurnWaitUntilWhatLiesInTheSocketsWasHandled) {
  RealHarness harness;
  int before_the_timer = -1;
  harness.run(be_suspended(harness.env(), before_the_timer));
  EXPECT_EQ(before_the_timer, 20);
}

TEST(RealEnv, ThousandsOfTimersFireInOrderUnlessCancelled) {
  RealHarness harness;
  Random random(3);
  RealEnv& env = harness.env();
  MonoTime begin = env.now();
  std::vector<MonoTime> fired;
  std::vector<TimerId> cancelled;
  size_t expected = 0;
  for (int i = 0; i < 5000; ++i) {
    MonoTime at = begin + microseconds(random.below(50'000));
    TimerId id = env.arm(at, [&fired, at] { fired.push_back(at); });
    if (random.chance(0.6))
      cancelled.push_back(id);
    else
      ++expected;
  }
  for (TimerId id : cancelled) env.cancel(id);
  env.run_for(seconds(10), [&] { return fired.size() == expected; });
  EXPECT_EQ(fired.size(), expected);
  EXPECT_TRUE(std::is_sorted(fired.begin(), fired.end()));
  for (TimerId id : cancelled) env.cancel(id);  // once more: others may have the slots now
}

}  // namespace
}  // namespace farshore
