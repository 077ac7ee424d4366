// TimerHeap: what happens when, in virtual time. Timers due at the same instant fire in a seeded order. Cancelling is
// O(log n) and frees the slot, because nearly every deadline is cancelled.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "base/time.h"
#include "base/wait.h"

namespace farshore::sim {

class SimEnv;

class TimerHeap {
 public:
  // `owner` null: an event of the world itself.
  TimerId add(Duration at, uint32_t tie, SimEnv* owner, std::function<void()> fn);
  bool empty() const { return heap_.empty(); }
  Duration next() const { return slots_[heap_[0]].at; }
  // Takes the first timer out of the heap; it stays known (cancellable, see take()) until take().
  TimerId pop();
  SimEnv* owner(TimerId id) const;
  // The call of a popped timer, or an empty one if it was cancelled meanwhile. Frees the slot.
  std::function<void()> take(TimerId id);
  void cancel(TimerId id);
  // Takes all of this owner's timers out, popped ones included; the caller destroys them.
  std::vector<std::function<void()>> drop(const SimEnv* owner);
  size_t size() const { return heap_.size(); }

 private:
  static constexpr uint32_t kNotInHeap = UINT32_MAX;
  struct Slot {
    std::function<void()> fn;
    SimEnv* owner = nullptr;
    Duration at{};
    uint64_t order = 0;  // seeded tie in the high half, sequence in the low
    uint32_t generation = 1;
    uint32_t position = kNotInHeap;
    bool used = false;
  };
  const Slot* find(TimerId id) const;
  bool before(uint32_t a, uint32_t b) const;
  void place(uint32_t position, uint32_t slot);
  void up(uint32_t position);
  void down(uint32_t position);
  void remove(uint32_t position);
  std::function<void()> release(uint32_t slot);

  std::vector<Slot> slots_;
  std::vector<uint32_t> free_, heap_;
  uint32_t sequence_ = 0;
};

}  // namespace farshore::sim
