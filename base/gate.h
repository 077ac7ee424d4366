// Gate: refuses new work once closed, and knows when the old work has ended. Every long-lived object that starts
// coroutines has one; work is started only by spawn().
#pragma once

#include <utility>

#include "base/event.h"

namespace farshore {

class Gate {
 public:
  explicit Gate(Reactor& reactor) : reactor_(reactor), empty_(reactor) {}
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;
  ~Gate() {
    ensure(count_ == 0 || reactor_.dead(), "a gate was destroyed with work inside: close() it and wait first");
  }

  bool closed() const { return closed_; }
  size_t count() const { return count_; }
  bool enter() {
    if (closed_) return false;
    ++count_;
    return true;
  }
  void leave() {
    ensure(count_ > 0, "gate left more often than entered");
    if (--count_ == 0) empty_.notify();
  }
  // Refuses new work at once; completes when all that was inside has left.
  Task<void> close();
  Reactor& reactor() { return reactor_; }

  // Inside the gate for as long as it lives. Empty: the gate was closed.
  class Holder {
   public:
    explicit Holder(Gate& gate) : reactor_(gate.reactor_), gate_(gate.enter() ? &gate : nullptr) {}
    Holder(Holder&& other) noexcept : reactor_(other.reactor_), gate_(std::exchange(other.gate_, nullptr)) {}
    Holder& operator=(Holder&&) = delete;
    // Of a frame that was abandoned with its dead Env, nobody waits any more, and the gate may be gone.
    ~Holder() {
      if (gate_ && !reactor_.dead()) gate_->leave();
    }
    explicit operator bool() const { return gate_ != nullptr; }

   private:
    Reactor& reactor_;  // outlives every frame of its Env
    Gate* gate_;
  };

 private:
  Reactor& reactor_;
  Notifier empty_;
  size_t count_ = 0;
  bool closed_ = false;
};

// Starts `task` on the gate's executor (never inline). Returns false, and destroys the task, if the gate is closed.
// The task must not outlive what it references:
// its owner closes the gate and waits before it goes.
// `name`: for whoever reads the call.
bool spawn(Gate& gate, const char* name, Task<void> task);

}  // namespace farshore
