#include "base/async_mutex.h"

#include <algorithm>

namespace farshore {

AsyncMutex::Guard AsyncMutex::enter() {
  Place& place = line_.emplace_back();
  place.number = ++places_;
  if (line_.size() > 1) place.front.emplace(reactor_);
  return Guard(this, place.number);
}

std::optional<Wait<void>> AsyncMutex::front_of(uint64_t number) {
  return std::find_if(line_.begin(), line_.end(), [&](const Place& each) { return each.number == number; })->front;
}

Task<AsyncMutex::Guard> AsyncMutex::reached(Guard guard) {
  auto front = guard.mutex_->front_of(guard.place_);
  if (front) (void)co_await front->wait(Deadline::never());
  co_return guard;
}

Task<Result<AsyncMutex::Guard>> AsyncMutex::reached_until(Guard guard, Deadline deadline) {
  auto front = guard.mutex_->front_of(guard.place_);
  if (front) CO_CHECK(co_await front->wait(deadline));
  co_return guard;
}

void AsyncMutex::leave(uint64_t number) {
  if (reactor_.dead()) return;  // nobody in the line will ever run
  if (line_.front().number != number) {
    std::erase_if(line_, [&](const Place& each) { return each.number == number; });
    return;
  }
  line_.pop_front();
  if (line_.empty()) return;
  auto next = line_.front().front;
  if (next) next->complete(ok());
}

}  // namespace farshore
