// Task<T>: a coroutine that returns T. It starts when it is awaited, and runs on the executor of whoever awaits it. A
// chain is one started task (spawn() in base/gate.h) together with the tasks that it awaits; a chain waits for
// something outside only through Wait<T> (base/wait.h).
//
// Why not boost::asio::awaitable: a file with coroutines takes a quarter to a third less time to compile without it
// (docs/decisions/0001-own-task-type.md).
//
// Cost: one frame for each task, no recursion (a chain runs in a loop, so a long sequence of tasks that never suspend
// needs no stack), no atomic operation. Exceptions: an exception that leaves a task ends the process; what other
// libraries throw becomes an Error where it appears. Executor: a chain is resumed by one thread at a time.
//
// Coroutine rules (proven traps of g++ 12, checked by tests/style): parameters by value, or by a reference whose owner
// provably awaits to the end; never an aggregate temporary in a co_await argument (name it, then move it in); never
// co_await inside ?: or a range-for initialiser; never call a coroutine lambda in the argument of spawn(); no
// `task || timer` (operations take a Deadline instead).
#pragma once

#include <coroutine>
#include <memory>
#include <new>
#include <utility>

#include "base/closure.h"

namespace farshore {

template <class T = void>
class Task;

namespace detail {

[[noreturn]] void end_by_exception() noexcept;  // says which one on stderr

// One started task and what it awaits at the moment. Whoever can resume it owns it: the executor's queue, or the Wait
// that it is suspended in. Destroying it destroys the frames, innermost first.
class Chain {
 public:
  Chain(Task<void> task, Closure on_end);
  ~Chain();
  // Resumes until the chain suspends or ends. After the end the frame is destroyed, then `on_end` is called.
  static void run(std::unique_ptr<Chain> chain);

 private:
  template <class T>
  friend struct Awaiter;
  friend struct FinalAwaiter;
  friend std::unique_ptr<Chain> suspend_chain(Chain& chain);
  std::coroutine_handle<> first_;  // owned
  std::coroutine_handle<> top_;    // runs next; null: the first has ended
  bool suspended_ = false;
  Closure on_end_;
};

// In await_suspend() only: the chain stops here, and the caller owns it from now on.
std::unique_ptr<Chain> suspend_chain(Chain& chain);

struct FinalAwaiter {
  bool await_ready() const noexcept { return false; }
  template <class Promise>
  void await_suspend(std::coroutine_handle<Promise> ended) const noexcept {
    ended.promise().chain->top_ = ended.promise().parent;
  }
  void await_resume() const noexcept {}
};

struct PromiseBase {
  Chain* chain = nullptr;          // set when the task is awaited or started
  std::coroutine_handle<> parent;  // awaits this one; null: the first of its chain
  std::suspend_always initial_suspend() const noexcept { return {}; }
  FinalAwaiter final_suspend() const noexcept { return {}; }
  [[noreturn]] void unhandled_exception() const noexcept { end_by_exception(); }
};

template <class T>
struct Promise final : PromiseBase {
  Promise() noexcept {}
  ~Promise() {
    if (returned) value.~T();
  }
  Task<T> get_return_object() noexcept;
  template <class U>
  void return_value(U&& result) {
    new (&value) T(std::forward<U>(result));
    returned = true;
  }
  T take() { return std::move(value); }
  union {
    T value;  // once `returned`
  };
  bool returned = false;
};

template <>
struct Promise<void> final : PromiseBase {
  Task<void> get_return_object() noexcept;
  void return_void() const noexcept {}
  void take() const noexcept {}
};

template <class T>
struct Awaiter {
  std::coroutine_handle<Promise<T>> task;
  bool await_ready() const noexcept { return false; }
  template <class Parent>
  void await_suspend(std::coroutine_handle<Parent> parent) const noexcept {
    PromiseBase& promise = task.promise();
    promise.parent = parent;
    promise.chain = parent.promise().chain;
    promise.chain->top_ = task;
  }
  T await_resume() const { return task.promise().take(); }
};

}  // namespace detail

// Move-only; owns the frame. Awaited or started at most once.
template <class T>
class [[nodiscard]] Task {
 public:
  using promise_type = detail::Promise<T>;

  Task(Task&& other) noexcept : frame_(std::exchange(other.frame_, {})) {}
  Task& operator=(Task&& other) noexcept {
    std::swap(frame_, other.frame_);
    return *this;
  }
  ~Task() {
    if (frame_) frame_.destroy();
  }
  detail::Awaiter<T> operator co_await() && noexcept { return {frame_}; }

 private:
  friend promise_type;
  friend class detail::Chain;
  explicit Task(std::coroutine_handle<promise_type> frame) : frame_(frame) {}
  std::coroutine_handle<promise_type> frame_;
};

namespace detail {

template <class T>
Task<T> Promise<T>::get_return_object() noexcept {
  return Task<T>(std::coroutine_handle<Promise<T>>::from_promise(*this));
}
inline Task<void> Promise<void>::get_return_object() noexcept {
  return Task<void>(std::coroutine_handle<Promise<void>>::from_promise(*this));
}

}  // namespace detail
}  // namespace farshore
