#include "base/task.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/testing/manual_reactor.h"

namespace farshore {
namespace {

// Adds its name to a list when it is destroyed.
class Frame {
 public:
  Frame(std::vector<std::string>& destroyed, std::string name) : destroyed_(destroyed), name_(std::move(name)) {}
  Frame(const Frame&) = delete;
  Frame& operator=(const Frame&) = delete;
  ~Frame() { destroyed_.push_back(name_); }

 private:
  std::vector<std::string>& destroyed_;
  const std::string name_;
};

// A value that can be moved only.
struct MoveOnly {
  explicit MoveOnly(int n) : number(std::make_unique<int>(n)) {}
  std::unique_ptr<int> number;
};

Task<int> one() { co_return 1; }

uintptr_t stack_address() { return reinterpret_cast<uintptr_t>(__builtin_frame_address(0)); }

Task<void> sum_of(int count, int64_t& sum, uintptr_t& lowest, uintptr_t& highest) {
  for (int i = 0; i < count; ++i) {
    const int n = co_await one();
    sum += n;
    const uintptr_t here = stack_address();
    lowest = std::min(lowest, here);
    highest = std::max(highest, here);
  }
}

TEST(Task, MillionAwaitsThatNeverSuspendUseNoStack) {
  ManualReactor reactor;
  int64_t sum = 0;
  uintptr_t lowest = UINTPTR_MAX, highest = 0;
  start(reactor, sum_of(1'000'000, sum, lowest, highest));
  reactor.run();
  EXPECT_EQ(sum, 1'000'000);
  EXPECT_LT(highest - lowest, 4096u);
}

Task<int> depth(int left) {
  if (left == 0) co_return 0;
  const int below = co_await depth(left - 1);
  co_return below + 1;
}

TEST(Task, DeepChainRunsInALoopWithoutRecursion) {
  ManualReactor reactor;
  EXPECT_EQ(reactor.run(depth(100'000)), std::optional(100'000));
}

Task<void> inner(Wait<void> wait, std::vector<std::string>& destroyed) {
  Frame frame(destroyed, "inner");
  (void)co_await wait.wait(Deadline::never());
  ADD_FAILURE() << "an abandoned task was resumed";
}
Task<void> middle(Wait<void> wait, std::vector<std::string>& destroyed) {
  Frame frame(destroyed, "middle");
  co_await inner(wait, destroyed);
}
Task<void> outer(Wait<void> wait, std::vector<std::string>& destroyed) {
  Frame frame(destroyed, "outer");
  co_await middle(wait, destroyed);
}

TEST(Task, ChainAbandonedWhileItWaitsDestroysItsFramesInnermostFirst) {
  std::vector<std::string> destroyed;
  bool ended = false;
  {
    ManualReactor reactor;
    Wait<void> wait(reactor);
    start(reactor, outer(wait, destroyed), [&ended] { ended = true; });
    reactor.run();
    EXPECT_TRUE(destroyed.empty());
    reactor.waits().abandon_all();
    EXPECT_EQ(destroyed, (std::vector<std::string>{"inner", "middle", "outer"}));
    wait.complete(ok());  // too late: nobody waits
    reactor.run();
  }
  EXPECT_EQ(destroyed.size(), 3u);
  EXPECT_FALSE(ended) << "on_end was called for a chain that did not end";
}

Task<MoveOnly> make(int n) { co_return MoveOnly(n); }
Task<MoveOnly> pass_on(int n) {
  MoveOnly made = co_await make(n);
  co_return made;
}

TEST(Task, ValueIsMovedOutOfTheTask) {
  ManualReactor reactor;
  auto made = reactor.run(pass_on(7));
  ASSERT_TRUE(made);
  EXPECT_EQ(*made->number, 7);
}

Task<void> note_run(bool& ran) {
  ran = true;
  co_return;
}

TEST(Task, TaskThatIsNeverAwaitedIsDestroyedWithoutRunning) {
  bool ran = false;
  auto argument = std::make_shared<int>(1);
  struct Holds {
    static Task<void> run(std::shared_ptr<int> held, bool& ran) {
      co_await note_run(ran);
      (void)held;
    }
  };
  {
    auto never_awaited = Holds::run(argument, ran);
    EXPECT_EQ(argument.use_count(), 2);
  }
  EXPECT_EQ(argument.use_count(), 1) << "the frame's arguments were not destroyed";
  EXPECT_FALSE(ran);
}

TEST(Task, StartedTaskThatADeadReactorDropsIsDestroyedWithoutRunning) {
  bool ran = false, ended = false;
  {
    ManualReactor reactor;
    start(reactor, note_run(ran), [&ended] { ended = true; });
  }
  EXPECT_FALSE(ran);
  EXPECT_FALSE(ended);
}

Task<void> hold_a_frame(Reactor& reactor, std::vector<std::string>& order) {
  Frame frame(order, "frame destroyed");
  Wait<void> pause(reactor);
  (void)co_await pause.wait(Deadline(reactor.now() + milliseconds(1)));
}

TEST(Task, OnEndIsCalledAfterTheFrameIsDestroyed) {
  ManualReactor reactor;
  std::vector<std::string> order;
  start(reactor, hold_a_frame(reactor, order), [&order] { order.push_back("on_end"); });
  reactor.run();
  EXPECT_EQ(order, (std::vector<std::string>{"frame destroyed", "on_end"}));
}

Task<int> throw_inside() {
  throw std::runtime_error("out of luck");
  co_return 1;
}
Task<void> await_the_throw() { (void)co_await throw_inside(); }

TEST(TaskDeathTest, ExceptionThatLeavesATaskEndsTheProcess) {
  EXPECT_DEATH(
      {
        ManualReactor reactor;
        start(reactor, await_the_throw());
        reactor.run();
      },
      "a task ended by an exception: out of luck");
}

}  // namespace
}  // namespace farshore
