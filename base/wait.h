// Wait<T>: one coroutine that suspends until somebody completes it, or its deadline passes. Everything that waits in
// Farshore (streams, files, timers, events, queues, in both Envs) is made of this.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "base/closure.h"
#include "base/ensure.h"
#include "base/result.h"
#include "base/task.h"
#include "base/time.h"

namespace farshore {

using TimerId = uint64_t;  // 0: none

// All suspended waits of one Env. A killed simulated process, or a real one that ends, abandons them: the suspended
// frames are destroyed without being resumed.
class WaitNode {
 public:
  WaitNode() = default;
  WaitNode(const WaitNode&) = delete;
  WaitNode& operator=(const WaitNode&) = delete;
  virtual ~WaitNode() { unlink(); }
  virtual void abandon() = 0;
  void unlink() {
    if (!prev_) return;
    prev_->next_ = next_;
    if (next_) next_->prev_ = prev_;
    prev_ = next_ = nullptr;
  }

 private:
  friend class WaitList;
  WaitNode* prev_ = nullptr;
  WaitNode* next_ = nullptr;
};

class WaitList {
 public:
  WaitList() = default;
  ~WaitList() { abandon_all(); }
  void push(WaitNode& node) {
    node.next_ = head_.next_;
    node.prev_ = &head_;
    if (head_.next_) head_.next_->prev_ = &node;
    head_.next_ = &node;
  }
  // Destroys the frames of all waits. Frames may create new waits while they unwind; those are abandoned too.
  void abandon_all() {
    while (head_.next_) head_.next_->abandon();
  }

 private:
  struct Head final : WaitNode {
    void abandon() override {}
  };
  Head head_;
};

// The part of an Env that a wait needs. All calls, and all callbacks, on the Env's executor (one thread).
class Reactor {
 public:
  virtual ~Reactor() = default;
  // Runs `work` on the executor, soon, never inline. A dead Env destroys it without running it. The one function that
  // other threads may call, in an Env that has threads.
  virtual void post(Closure work) = 0;
  virtual MonoTime now() = 0;
  // Runs `fn` on the executor at or after `at`, once, unless cancelled before.
  virtual TimerId arm(MonoTime at, std::function<void()> fn) = 0;
  virtual void cancel(TimerId timer) = 0;
  // True once the process around this Env is gone (simulated kill, shutdown): operations do nothing.
  virtual bool dead() const = 0;
  WaitList& waits() { return waits_; }

 private:
  WaitList waits_;
};

namespace detail {

// The part of a Wait that does not depend on its value. Shared by the waiter and by whoever completes it.
class WaitStateBase : public WaitNode, public std::enable_shared_from_this<WaitStateBase> {
 public:
  explicit WaitStateBase(Reactor& reactor) : reactor_(reactor) {}
  bool done() const { return done_; }
  // Suspends `chain` until it is completed, abandoned, or timed out.
  void suspend(Chain& chain, Deadline deadline);
  void abandon() override;

 protected:
  // Ends the wait: the timer is cancelled, and the waiter, if there is one already, is resumed (posted, never inline:
  // whoever completes a wait goes on first, in both Envs).
  void finish();
  virtual void time_out() = 0;

 private:
  Reactor& reactor_;
  std::unique_ptr<Chain> waiter_;
  TimerId timer_ = 0;
  bool done_ = false;
};

template <class T>
class WaitState final : public WaitStateBase {
 public:
  using WaitStateBase::WaitStateBase;
  void complete(Result<T> result) {
    if (done()) return;
    value_.emplace(std::move(result));
    finish();
  }
  bool has_value() const { return value_.has_value(); }
  Result<T> take() { return std::move(*value_); }

 private:
  void time_out() override { complete(Error(ErrorCode::kTimedOut)); }
  std::optional<Result<T>> value_;
};

template <class T>
struct WaitAwaiter {
  WaitState<T>& state;
  Deadline deadline;
  bool await_ready() const noexcept { return state.has_value(); }
  template <class Parent>
  void await_suspend(std::coroutine_handle<Parent> parent) const {
    state.suspend(*parent.promise().chain, deadline);
  }
  Result<T> await_resume() const { return state.take(); }
};

}  // namespace detail

// Copyable handle: the waiter keeps one, whoever completes it keeps another. Executor: the Env's, for all calls.
template <class T>
class Wait {
 public:
  explicit Wait(Reactor& reactor) : state_(std::make_shared<detail::WaitState<T>>(reactor)) {}

  // Resumes the waiter (posted, never inline) with `result`. Only the first completion counts.
  void complete(Result<T> result) const { state_->complete(std::move(result)); }
  bool done() const { return state_->done(); }

  // At most one coroutine waits. kTimedOut when the deadline passes first; a completion before the wait is kept.
  Task<Result<T>> wait(Deadline deadline) const { return run(state_, deadline); }

 private:
  using State = detail::WaitState<T>;
  static Task<Result<T>> run(std::shared_ptr<State> state, Deadline deadline) {
    detail::WaitAwaiter<T> awaiter{*state, deadline};  // named: g++ 12 may destroy a temporary twice
    co_return co_await awaiter;
  }
  std::shared_ptr<State> state_;
};

// Starts `task` on the reactor's executor (posted, never inline). `on_end` is called on the executor once the task has
// ended and its frame is destroyed; it is destroyed without a call if the Env dies first. For tests and for the program
// around an Env; everything else uses spawn() of base/gate.h, which knows when the work has ended.
void start(Reactor& reactor, Task<void> task, Closure on_end = {});

extern template class Wait<void>;  // in wait.cc

}  // namespace farshore
