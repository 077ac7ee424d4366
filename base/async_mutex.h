// AsyncMutex: one coroutine at a time, in the order in which lock() was called. Held across awaits on purpose (one log
// append at a time), so never on a data-plane path that another partition waits for.
//
// The place in the line is taken by the call of lock(), not by awaiting its task. So whoever calls lock() twice and
// hands the tasks to two coroutines knows which comes first, whatever order the executor runs them in (both Envs
// promise none). Nobody barges in: the lock goes from its holder to the next in line without being free in between.
// Executor: the Env's, for all calls; no locks. The mutex outlives its guards and the tasks of lock().
#pragma once

#include <deque>
#include <optional>
#include <utility>

#include "base/wait.h"

namespace farshore {

class AsyncMutex {
 public:
  explicit AsyncMutex(Reactor& reactor) : reactor_(reactor) {}
  AsyncMutex(const AsyncMutex&) = delete;
  AsyncMutex& operator=(const AsyncMutex&) = delete;

  // A place in the line; at its front, the lock. Leaves the line when it goes.
  class Guard {
   public:
    Guard(Guard&& other) noexcept : mutex_(std::exchange(other.mutex_, nullptr)), place_(other.place_) {}
    Guard& operator=(Guard&&) = delete;
    ~Guard() {
      if (mutex_) mutex_->leave(place_);
    }

   private:
    friend class AsyncMutex;
    Guard(AsyncMutex* mutex, uint64_t place) : mutex_(mutex), place_(place) {}
    AsyncMutex* mutex_;
    uint64_t place_;
  };

  // Takes a place in the line now; the task completes with the lock. A task that is destroyed leaves the line.
  Task<Guard> lock() { return reached(enter()); }
  // The same, but at most until `deadline`: then kTimedOut, and the place is given up.
  Task<Result<Guard>> lock(Deadline deadline) { return reached_until(enter(), deadline); }

 private:
  struct Place {
    uint64_t number;
    std::optional<Wait<void>> front;  // completed when this is the first in line; none for who came to an empty one
  };

  Guard enter();
  std::optional<Wait<void>> front_of(uint64_t number);  // nullopt: at the front since it came
  static Task<Guard> reached(Guard guard);
  static Task<Result<Guard>> reached_until(Guard guard, Deadline deadline);
  void leave(uint64_t number);

  Reactor& reactor_;
  std::deque<Place> line_;  // the first holds the lock
  uint64_t places_ = 0;
};

}  // namespace farshore
