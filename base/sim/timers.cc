#include "base/sim/timers.h"

#include <utility>

#include "base/ensure.h"

namespace farshore::sim {

TimerId TimerHeap::add(Duration at, uint32_t tie, SimEnv* owner, std::function<void()> fn) {
  uint32_t index;
  if (free_.empty()) {
    index = static_cast<uint32_t>(slots_.size());
    slots_.emplace_back();
  } else {
    index = free_.back();
    free_.pop_back();
  }
  Slot& slot = slots_[index];
  slot.fn = std::move(fn);
  slot.owner = owner;
  slot.at = at;
  slot.order = static_cast<uint64_t>(tie) << 32 | sequence_++;
  slot.used = true;
  heap_.push_back(index);
  slot.position = static_cast<uint32_t>(heap_.size() - 1);
  up(slot.position);
  return static_cast<uint64_t>(slot.generation) << 32 | (index + 1);
}

const TimerHeap::Slot* TimerHeap::find(TimerId id) const {
  const uint32_t index = static_cast<uint32_t>(id) - 1;
  if (id == 0 || index >= slots_.size()) return nullptr;
  const Slot& slot = slots_[index];
  return slot.used && slot.generation == id >> 32 ? &slot : nullptr;
}

TimerId TimerHeap::pop() {
  const uint32_t index = heap_[0];
  remove(0);
  return static_cast<uint64_t>(slots_[index].generation) << 32 | (index + 1);
}

SimEnv* TimerHeap::owner(TimerId id) const {
  const Slot* slot = find(id);
  return slot ? slot->owner : nullptr;
}

std::function<void()> TimerHeap::take(TimerId id) {
  if (!find(id)) return nullptr;
  return release(static_cast<uint32_t>(id) - 1);
}

void TimerHeap::cancel(TimerId id) {
  const Slot* slot = find(id);
  if (!slot) return;
  if (slot->position != kNotInHeap) remove(slot->position);
  auto dropped = release(static_cast<uint32_t>(id) - 1);  // destroyed last: it may own objects that cancel timers
}

std::vector<std::function<void()>> TimerHeap::drop(const SimEnv* owner) {
  std::vector<std::function<void()>> dropped;
  for (uint32_t i = 0; i < slots_.size(); ++i) {
    if (!slots_[i].used || slots_[i].owner != owner) continue;
    if (slots_[i].position != kNotInHeap) remove(slots_[i].position);
    dropped.push_back(release(i));
  }
  return dropped;
}

std::function<void()> TimerHeap::release(uint32_t index) {
  Slot& slot = slots_[index];
  auto fn = std::exchange(slot.fn, nullptr);
  slot.used = false;
  slot.owner = nullptr;
  ++slot.generation;
  free_.push_back(index);
  return fn;
}

bool TimerHeap::before(uint32_t a, uint32_t b) const {
  const Slot &x = slots_[a], &y = slots_[b];
  return x.at != y.at ? x.at < y.at : x.order < y.order;
}

void TimerHeap::place(uint32_t position, uint32_t slot) {
  heap_[position] = slot;
  slots_[slot].position = position;
}

void TimerHeap::up(uint32_t position) {
  const uint32_t slot = heap_[position];
  while (position > 0) {
    const uint32_t parent = (position - 1) / 2;
    if (!before(slot, heap_[parent])) break;
    place(position, heap_[parent]);
    position = parent;
  }
  place(position, slot);
}

void TimerHeap::down(uint32_t position) {
  const uint32_t slot = heap_[position];
  const auto count = static_cast<uint32_t>(heap_.size());
  for (;;) {
    uint32_t child = position * 2 + 1;
    if (child >= count) break;
    if (child + 1 < count && before(heap_[child + 1], heap_[child])) ++child;
    if (!before(heap_[child], slot)) break;
    place(position, heap_[child]);
    position = child;
  }
  place(position, slot);
}

void TimerHeap::remove(uint32_t position) {
  slots_[heap_[position]].position = kNotInHeap;
  const uint32_t last = heap_.back();
  heap_.pop_back();
  if (position == heap_.size()) return;
  place(position, last);
  down(position);
  up(slots_[last].position);
}

}  // namespace farshore::sim
