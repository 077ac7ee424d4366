// Event: coroutines wait until it is set. Notifier: coroutines wait for the next of many happenings. BoundedQueue: a
// channel with a named limit. Executor: the Env's, for all calls; no locks.
#pragma once

#include <deque>
#include <utility>
#include <vector>

#include "base/wait.h"

namespace farshore {

// Wakes all who wait at the moment of notify(). A waiter that must not miss a happening checks its condition first
// (nothing runs between the check and the wait: one thread).
class Notifier {
 public:
  explicit Notifier(Reactor& reactor) : reactor_(reactor) {}
  Notifier(const Notifier&) = delete;
  Notifier& operator=(const Notifier&) = delete;

  void notify();
  // Ends all waits, now and later, with kClosed.
  void close();
  bool closed() const { return closed_; }
  Task<Status> wait(Deadline deadline);
  // Completes `wait` (with ok) at the next notify: one coroutine can wait for any of several notifiers. Timed-out
  // waits are dropped when the next one is added.
  void add(const Wait<void>& wait);

 private:
  Reactor& reactor_;
  std::vector<Wait<void>> waiting_;
  bool closed_ = false;
};

// Set once, stays set (until reset()).
class Event {
 public:
  explicit Event(Reactor& reactor) : notifier_(reactor) {}
  void set();
  void reset() { set_ = false; }
  bool is_set() const { return set_; }
  // ok when set; kTimedOut otherwise. `sleep` is waiting for a stop event with a deadline.
  Task<Status> wait(Deadline deadline);

 private:
  Notifier notifier_;
  bool set_ = false;
};

// At most `items_max` items; push waits for room, pop waits for an item.
template <class T>
class BoundedQueue {
 public:
  BoundedQueue(Reactor& reactor, size_t items_max) : changed_(reactor), items_max_(items_max) {}
  size_t size() const { return items_.size(); }
  bool try_push(T item) {
    if (closed_ || items_.size() >= items_max_) return false;
    items_.push_back(std::move(item));
    changed_.notify();
    return true;
  }
  Task<Status> push(T item, Deadline deadline) {
    while (!closed_ && items_.size() >= items_max_) CO_CHECK(co_await changed_.wait(deadline));
    if (closed_) co_return Error(ErrorCode::kClosed);
    items_.push_back(std::move(item));
    changed_.notify();
    co_return ok();
  }
  // What was pushed before close() is still popped; then kClosed.
  Task<Result<T>> pop(Deadline deadline) {
    while (items_.empty() && !closed_) CO_CHECK(co_await changed_.wait(deadline));
    if (items_.empty()) co_return Error(ErrorCode::kClosed);
    T item = std::move(items_.front());
    items_.pop_front();
    changed_.notify();
    co_return item;
  }
  void close() {
    closed_ = true;
    changed_.notify();
  }

 private:
  Notifier changed_;
  std::deque<T> items_;
  size_t items_max_;
  bool closed_ = false;
};

}  // namespace farshore
