// Wait<T>: one coroutine that suspends until somebody completes it, or its deadline passes. Everything that waits in
// Farshore (streams, files, timers, events, queues, in both Envs) is made of this.
#pragma once

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

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

// What a wait needs of its Env. All calls, and all callbacks, on the Env's executor (one thread).
class Reactor {
 public:
  virtual ~Reactor() = default;
  virtual Executor executor() = 0;
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

template <class T>
struct WaitState final : WaitNode, std::enable_shared_from_this<WaitState<T>> {
  explicit WaitState(Reactor& r) : reactor(r) {}
  Reactor& reactor;
  std::optional<Result<T>> value;
  asio::any_completion_handler<void(Result<T>)> handler;
  TimerId timer = 0;
  bool done = false;

  void complete(Result<T> result) {
    if (done) return;
    done = true;
    if (timer) reactor.cancel(std::exchange(timer, 0));
    unlink();
    if (!handler) {
      value.emplace(std::move(result));
      return;
    }
    // Never inline: whoever completes a wait goes on first, in both Envs.
    asio::post(reactor.executor(),
               [h = std::move(handler), r = std::move(result)]() mutable { std::move(h)(std::move(r)); });
  }

  void abandon() override {
    auto self = this->shared_from_this();
    done = true;
    if (timer) reactor.cancel(std::exchange(timer, 0));
    unlink();
    auto dropped = std::move(handler);  // destroys the frame, which may own this state
  }
};

}  // namespace detail

// Copyable handle: the waiter keeps one, whoever completes it keeps another. Executor: the Env's, for all calls.
template <class T>
class Wait {
 public:
  explicit Wait(Reactor& reactor) : state_(std::make_shared<detail::WaitState<T>>(reactor)) {}

  // Resumes the waiter (posted, never inline) with `result`. Only the first completion counts.
  void complete(Result<T> result) const { state_->complete(std::move(result)); }
  bool done() const { return state_->done; }

  // At most one coroutine waits. kTimedOut when the deadline passes first; a completion before the wait is kept.
  Task<Result<T>> wait(Deadline deadline) const { return run(state_, deadline); }

 private:
  using State = detail::WaitState<T>;
  static Task<Result<T>> run(std::shared_ptr<State> state, Deadline deadline) {
    if (state->value) co_return std::move(*state->value);
    // Named, not a temporary of the co_await expression: g++ 12 destroys the captures of such a lambda twice.
    auto begin = [state, deadline](auto handler) {
      ensure(!state->handler, "a Wait has one waiter");
      // By swap: the move assignment of Boost 1.81's any_completion_handler wraps itself for ever.
      asio::any_completion_handler<void(Result<T>)>(std::move(handler)).swap(state->handler);
      state->reactor.waits().push(*state);
      if (!deadline.is_never()) {
        std::weak_ptr<State> weak = state;
        state->timer = state->reactor.arm(deadline.at(), [weak] {
          if (auto s = weak.lock()) {
            s->timer = 0;
            s->complete(Error(ErrorCode::kTimedOut));
          }
        });
      }
    };
    co_return co_await asio::async_initiate<const asio::use_awaitable_t<Executor>, void(Result<T>)>(
        std::move(begin), asio::use_awaitable_t<Executor>());
  }
  std::shared_ptr<State> state_;
};

}  // namespace farshore
