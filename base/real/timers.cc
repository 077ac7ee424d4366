#include "base/real/timers.h"

#include <algorithm>
#include <boost/asio/post.hpp>

namespace farshore {

// An id is the slot's index + 1 in the low half, its generation in the high half.
Timers::Slot* Timers::find(TimerId id) {
  auto index = static_cast<uint32_t>(id) - 1;
  if (index >= slots_.size() || slots_[index].generation != id >> 32 || !slots_[index].fn) return nullptr;
  return &slots_[index];
}

std::function<void()> Timers::take(TimerId id) {
  Slot* slot = find(id);
  if (!slot) return nullptr;
  auto fn = std::exchange(slot->fn, nullptr);
  ++slot->generation;
  free_.push_back(static_cast<uint32_t>(id) - 1);
  --live_;
  return fn;
}

TimerId Timers::arm(MonoTime at, std::function<void()> fn) {
  if (free_.empty()) {
    free_.push_back(static_cast<uint32_t>(slots_.size()));
    slots_.emplace_back();
  }
  uint32_t index = free_.back();
  free_.pop_back();
  slots_[index].fn = std::move(fn);
  TimerId id = static_cast<uint64_t>(slots_[index].generation) << 32 | (index + 1);
  heap_.push_back({at, id});
  std::push_heap(heap_.begin(), heap_.end());
  ++live_;
  if (at < armed_at_) rearm();
  return id;
}

void Timers::cancel(TimerId timer) {
  auto dropped = take(timer);
  if (heap_.size() < 64 || heap_.size() < 2 * live_) return;
  std::erase_if(heap_, [this](const Entry& entry) { return !find(entry.id); });
  std::make_heap(heap_.begin(), heap_.end());
}

void Timers::clear() {
  heap_.clear();
  kernel_.cancel();
  for (auto& slot : slots_) {
    if (!slot.fn) continue;
    auto dropped = std::exchange(slot.fn, nullptr);
    ++slot.generation;
    free_.push_back(static_cast<uint32_t>(&slot - slots_.data()));
  }
  live_ = 0;
  catching_up_ = false;
}

void Timers::drop_cancelled() {
  while (!heap_.empty() && !find(heap_.front().id)) {
    std::pop_heap(heap_.begin(), heap_.end());
    heap_.pop_back();
  }
}

void Timers::rearm() {
  if (catching_up_) return;
  drop_cancelled();
  if (heap_.empty()) {
    armed_at_ = MonoTime::max();
    return;
  }
  armed_at_ = heap_.front().at;
  kernel_.expires_at(std::chrono::steady_clock::time_point(armed_at_.time_since_epoch()));
  kernel_.async_wait([this](const boost::system::error_code& failure) {
    if (!failure) fire();
  });
}

void Timers::fire() {
  if (catching_up_) return;
  drop_cancelled();
  const MonoTime now = now_();
  if (heap_.empty() || now - heap_.front().at <= kLate) return run_due();
  catching_up_ = true;
  catch_up(kCatchUpTurns, now + kCatchUpMax);
}

// Behind everything that is ready now; so the loop looks at the sockets once between two turns.
void Timers::catch_up(int turns, MonoTime until) {
  boost::asio::post(kernel_.get_executor(), [this, turns, until] {
    if (!catching_up_) return;  // cleared
    if (turns > 0 && now_() < until) return catch_up(turns - 1, until);
    catching_up_ = false;
    run_due();
  });
}

void Timers::run_due() {
  MonoTime now = now_();
  std::vector<TimerId> due;  // first all of them: what a callback arms waits for the next round
  while (!heap_.empty() && heap_.front().at <= now) {
    due.push_back(heap_.front().id);
    std::pop_heap(heap_.begin(), heap_.end());
    heap_.pop_back();
  }
  armed_at_ = MonoTime::max();
  rearm();
  for (TimerId id : due)
    if (auto fn = take(id)) fn();
}

}  // namespace farshore
