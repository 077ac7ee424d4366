// TakeoverSlots: how many takeovers of one sink run at once. A takeover that only waits (RelayTakeover for a former
// owner) leaves its slot meanwhile, so that many partitions wait at the same time. Executor: the Env's.
#pragma once

#include <utility>

#include "base/event.h"

namespace farshore::replicator {

class TakeoverSlots {
 public:
  TakeoverSlots(Reactor& reactor, int slots_max) : reactor_(reactor), slots_max_(slots_max), changed_(reactor) {}
  void close() { changed_.close(); }

  // One takeover's place. Not in a slot at first.
  class Slot {
   public:
    explicit Slot(TakeoverSlots& slots) : reactor_(slots.reactor_), slots_(slots) {}
    Slot(const Slot&) = delete;
    Slot& operator=(const Slot&) = delete;
    ~Slot() { leave(); }
    Task<Status> enter(Deadline deadline) {
      while (!inside_ && slots_.taken_ >= slots_.slots_max_) CO_CHECK(co_await slots_.changed_.wait(deadline));
      if (!inside_) ++slots_.taken_;
      inside_ = true;
      co_return ok();
    }
    void leave() {
      if (!std::exchange(inside_, false) || reactor_.dead()) return;
      --slots_.taken_;
      slots_.changed_.notify();
    }

   private:
    Reactor& reactor_;  // outlives every frame of its Env
    TakeoverSlots& slots_;
    bool inside_ = false;
  };

 private:
  Reactor& reactor_;
  const int slots_max_;
  int taken_ = 0;
  Notifier changed_;
};

}  // namespace farshore::replicator
