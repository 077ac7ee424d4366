// Contract of Reactor, Wait, Gate, timers, BoundedQueue and AsyncMutex: nothing runs inline, deadlines fire in order
// and never early, a mutex is handed on in order.
#pragma once

#include <vector>

#include "base/async_mutex.h"
#include "base/contract/harness.h"
#include "base/event.h"

namespace farshore::contract {
namespace executor_cases {

inline Task<void> set_flag(bool& flag) {
  flag = true;
  co_return;
}

inline Task<void> post_is_never_inline(Env& env) {
  bool posted = false;
  Wait<void> ran(env);
  env.post([&posted, ran] {
    posted = true;
    ran.complete(ok());
  });
  EXPECT_FALSE(posted);
  EXPECT_TRUE(co_await ran.wait(env.in(seconds(5))));
  EXPECT_TRUE(posted);
}

inline Task<void> spawn_is_never_inline(Env& env) {
  Gate gate(env);
  bool started = false;
  EXPECT_TRUE(spawn(gate, "flag", set_flag(started)));
  EXPECT_FALSE(started);
  EXPECT_EQ(gate.count(), 1u);
  co_await gate.close();
  EXPECT_TRUE(started);
  bool refused = false;
  EXPECT_FALSE(spawn(gate, "refused", set_flag(refused)));
  EXPECT_FALSE(refused);
}

inline Task<void> wait_for(Wait<void> wait, Deadline deadline, bool& resumed, ErrorCode& code) {
  auto waited = co_await wait.wait(deadline);
  resumed = true;
  if (!waited) code = waited.error().code;
}

inline Task<void> completion_is_never_inline(Env& env) {
  Gate gate(env);
  Wait<void> wait(env);
  bool resumed = false;
  ErrorCode code = ErrorCode::kNone;
  EXPECT_TRUE(spawn(gate, "waiter", wait_for(wait, Deadline::never(), resumed, code)));
  co_await env.sleep(milliseconds(5));
  EXPECT_FALSE(resumed);
  wait.complete(ok());
  EXPECT_FALSE(resumed) << "the waiter ran inside complete()";
  wait.complete(Error(ErrorCode::kIo));  // only the first completion counts
  co_await gate.close();
  EXPECT_TRUE(resumed);
  EXPECT_EQ(code, ErrorCode::kNone);
}

inline Task<void> completion_before_the_wait_is_kept(Env& env) {
  Wait<int> wait(env);
  wait.complete(7);
  auto value = co_await wait.wait(env.in(seconds(1)));
  CO_ASSERT_OK(value);
  EXPECT_EQ(*value, 7);
}

inline Task<void> wait_times_out(Env& env) {
  const MonoTime begin = env.now();
  Wait<void> wait(env);
  auto waited = co_await wait.wait(env.in(milliseconds(20)));
  EXPECT_ERROR(waited, ErrorCode::kTimedOut);
  EXPECT_GE(env.now() - begin, milliseconds(20));
  EXPECT_LT(env.now() - begin, seconds(10));
  wait.complete(ok());  // too late: nothing happens
}

inline Task<void> passed_deadline_times_out(Env& env) {
  Wait<void> wait(env);
  auto waited = co_await wait.wait(Deadline(env.now() - seconds(1)));
  EXPECT_ERROR(waited, ErrorCode::kTimedOut);
}

inline Task<void> timers_fire_in_order(Env& env) {
  std::vector<int> fired;
  Wait<void> last(env);
  const MonoTime begin = env.now();
  const TimerId late = env.arm(begin + milliseconds(60), [&fired, last] {
    fired.push_back(3);
    last.complete(ok());
  });
  const TimerId early = env.arm(begin + milliseconds(10), [&fired] { fired.push_back(1); });
  env.arm(begin + milliseconds(35), [&fired] { fired.push_back(2); });
  const TimerId cancelled = env.arm(begin + milliseconds(20), [&fired] { fired.push_back(99); });
  EXPECT_NE(early, 0u);
  EXPECT_NE(early, late);
  env.cancel(cancelled);
  EXPECT_TRUE(fired.empty());
  EXPECT_TRUE(co_await last.wait(env.in(seconds(10))));
  EXPECT_EQ(fired, (std::vector<int>{1, 2, 3}));
  EXPECT_GE(env.now() - begin, milliseconds(60));
  env.cancel(early);  // long gone: fine
}

inline Task<void> timer_in_the_past_is_not_inline(Env& env) {
  bool fired = false;
  Wait<void> done(env);
  env.arm(env.now() - seconds(1), [&fired, done] {
    fired = true;
    done.complete(ok());
  });
  EXPECT_FALSE(fired);
  EXPECT_TRUE(co_await done.wait(env.in(seconds(5))));
}

inline Task<void> clocks_move_together(Env& env) {
  const MonoTime mono = env.now();
  const WallTime wall = env.wall_now();
  EXPECT_GT(wall.milliseconds_since_epoch, 0);
  co_await env.sleep(milliseconds(50));
  EXPECT_GE(env.now() - mono, milliseconds(50));
  EXPECT_GE(env.wall_now().milliseconds_since_epoch - wall.milliseconds_since_epoch, 49);
}

inline Task<void> add_one(Env& env, int& sum, Duration after) {
  co_await env.sleep(after);
  ++sum;
}

inline Task<void> gate_close_waits_for_all(Env& env) {
  Gate gate(env);
  int sum = 0;
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(spawn(gate, "adder", add_one(env, sum, milliseconds(i % 5))));
  co_await gate.close();
  EXPECT_EQ(sum, 20);
  EXPECT_EQ(gate.count(), 0u);
}

inline Task<void> push_numbers(Env& env, BoundedQueue<int>& queue, int count) {
  for (int i = 0; i < count; ++i) EXPECT_TRUE(co_await queue.push(i, env.in(seconds(10))));
  queue.close();
}

inline Task<void> queue_keeps_order_and_its_bound(Env& env) {
  Gate gate(env);
  BoundedQueue<int> queue(env, 3);
  EXPECT_TRUE(spawn(gate, "producer", push_numbers(env, queue, 50)));
  int expected = 0;
  for (;;) {
    EXPECT_LE(queue.size(), 3u);
    auto item = co_await queue.pop(env.in(seconds(10)));
    if (!item) {
      EXPECT_ERROR(item, ErrorCode::kClosed);
      break;
    }
    EXPECT_EQ(*item, expected++);
  }
  EXPECT_EQ(expected, 50);
  co_await gate.close();
}

inline Task<void> note_turn(Env& env, Task<AsyncMutex::Guard> lock, std::vector<int>& order, int number) {
  auto guard = co_await std::move(lock);
  order.push_back(number);
  co_await env.sleep(milliseconds(1));
}

inline Task<void> mutex_goes_by_the_order_of_the_calls(Env& env) {
  Gate gate(env);
  AsyncMutex mutex(env);
  std::vector<int> order, expected;
  for (int i = 0; i < 20; ++i) {  // in whatever order the executor runs them
    EXPECT_TRUE(spawn(gate, "turn", note_turn(env, mutex.lock(), order, i)));
    expected.push_back(i);
  }
  co_await gate.close();
  EXPECT_EQ(order, expected);
}

// Takes the lock again as soon as it is given back.
inline Task<void> lock_again_and_again(Env& env, AsyncMutex& mutex, const bool& enough, int& rounds) {
  while (!enough && rounds < 1000) {
    auto guard = co_await mutex.lock();
    ++rounds;
    co_await env.sleep(milliseconds(1));
  }
}

inline Task<void> mutex_lets_nobody_barge_in(Env& env) {
  Gate gate(env);
  AsyncMutex mutex(env);
  bool enough = false;
  int rounds = 0;
  EXPECT_TRUE(spawn(gate, "greedy", lock_again_and_again(env, mutex, enough, rounds)));
  while (rounds == 0) co_await env.sleep(milliseconds(1));
  const int before = rounds;
  {
    auto guard = co_await mutex.lock();  // behind the round that is under way
    EXPECT_LE(rounds, before + 1);
    const int held = rounds;
    for (int i = 0; i < 5; ++i) co_await env.sleep(milliseconds(1));
    EXPECT_EQ(rounds, held) << "two hold the lock";
    enough = true;
  }
  co_await gate.close();
}

inline Task<void> take_turn(Env& env, AsyncMutex& mutex, bool& taken) {
  auto guard = co_await mutex.lock(env.in(seconds(5)));
  EXPECT_TRUE(guard);
  taken = true;
}

inline Task<void> mutex_places_are_given_up(Env& env) {
  Gate gate(env);
  AsyncMutex mutex(env);
  bool taken = false;
  {
    auto guard = co_await mutex.lock();
    { auto dropped = mutex.lock(); }  // never awaited
    EXPECT_ERROR(co_await mutex.lock(env.in(milliseconds(5))), ErrorCode::kTimedOut);
    EXPECT_TRUE(spawn(gate, "next", take_turn(env, mutex, taken)));
    for (int i = 0; i < 3; ++i) co_await env.sleep(milliseconds(1));
    EXPECT_FALSE(taken);
  }
  co_await gate.close();
  EXPECT_TRUE(taken);
  auto free = co_await mutex.lock(Deadline(env.now() - seconds(1)));
  EXPECT_TRUE(free) << "a free lock is had at once";
}

// The holder leaves at the very moment at which the next in line has waited for long enough: whoever loses that race
// must not keep the lock.
inline Task<void> mutex_is_never_lost_to_a_timeout(Env& env) {
  Gate gate(env);
  AsyncMutex mutex(env);
  for (int i = 0; i < 50; ++i) {
    const Deadline moment = env.in(milliseconds(2));
    struct Holder {
      static Task<void> run(Env& env, AsyncMutex& mutex, Deadline until) {
        auto guard = co_await mutex.lock();
        Wait<void> wait(env);
        (void)co_await wait.wait(until);
      }
      static Task<void> next(Task<Result<AsyncMutex::Guard>> lock) {
        auto guard = co_await std::move(lock);
        if (!guard) EXPECT_ERROR(guard, ErrorCode::kTimedOut);
      }
    };
    EXPECT_TRUE(spawn(gate, "holder", Holder::run(env, mutex, moment)));
    co_await env.sleep(milliseconds(1));
    EXPECT_TRUE(spawn(gate, "next", Holder::next(mutex.lock(moment))));
    auto last = co_await mutex.lock(env.in(seconds(5)));
    EXPECT_TRUE(last) << "round " << i;
  }
  co_await gate.close();
}

inline Task<void> random_is_usable(Env& env) {
  const Uuid a = env.random().uuid(), b = env.random().uuid();
  EXPECT_NE(a, b);
  EXPECT_FALSE(a.is_zero());
  for (int i = 0; i < 100; ++i) EXPECT_LT(env.random().below(7), 7u);
  co_return;
}

}  // namespace executor_cases

inline Suite executor_contract() {
  namespace c = executor_cases;
  return {
      {"PostedWorkNeverRunsInline", [](EnvHarness& h) { h.run(c::post_is_never_inline(h.env())); }},
      {"SpawnNeverRunsInlineAndClosedGateRefusesWork", [](EnvHarness& h) { h.run(c::spawn_is_never_inline(h.env())); }},
      {"CompletedWaitNeverResumesInline", [](EnvHarness& h) { h.run(c::completion_is_never_inline(h.env())); }},
      {"CompletionBeforeTheWaitIsKept", [](EnvHarness& h) { h.run(c::completion_before_the_wait_is_kept(h.env())); }},
      {"WaitTimesOutNoEarlierThanItsDeadline", [](EnvHarness& h) { h.run(c::wait_times_out(h.env())); }},
      {"WaitWithAPassedDeadlineTimesOut", [](EnvHarness& h) { h.run(c::passed_deadline_times_out(h.env())); }},
      {"TimersFireInOrderUnlessCancelled", [](EnvHarness& h) { h.run(c::timers_fire_in_order(h.env())); }},
      {"TimerInThePastFiresSoonButNotInline",
       [](EnvHarness& h) { h.run(c::timer_in_the_past_is_not_inline(h.env())); }},
      {"WallClockAndMonotonicClockMoveTogether", [](EnvHarness& h) { h.run(c::clocks_move_together(h.env())); }},
      {"GateCloseWaitsForAllWork", [](EnvHarness& h) { h.run(c::gate_close_waits_for_all(h.env())); }},
      {"BoundedQueueKeepsOrderAndLimit", [](EnvHarness& h) { h.run(c::queue_keeps_order_and_its_bound(h.env())); }},
      {"MutexIsGrantedInTheOrderOfTheCalls",
       [](EnvHarness& h) { h.run(c::mutex_goes_by_the_order_of_the_calls(h.env())); }},
      {"MutexIsNotGrantedBeforeEarlierWaiters", [](EnvHarness& h) { h.run(c::mutex_lets_nobody_barge_in(h.env())); }},
      {"MutexWaiterThatGivesUpBlocksNobody", [](EnvHarness& h) { h.run(c::mutex_places_are_given_up(h.env())); }},
      {"MutexGrantedAtTheTimeoutIsNotLost", [](EnvHarness& h) { h.run(c::mutex_is_never_lost_to_a_timeout(h.env())); }},
      {"RandomNumbersDiffer", [](EnvHarness& h) { h.run(c::random_is_usable(h.env())); }},
  };
}

}  // namespace farshore::contract
