#include "base/wait.h"

namespace farshore {
namespace detail {

void WaitStateBase::suspend(Chain& chain, Deadline deadline) {
  ensure(!waiter_, "a Wait has one waiter");
  waiter_ = suspend_chain(chain);
  reactor_.waits().push(*this);
  if (deadline.is_never()) return;
  timer_ = reactor_.arm(deadline.at(), [weak = weak_from_this()] {
    if (auto state = weak.lock()) {
      state->timer_ = 0;
      state->time_out();
    }
  });
}

void WaitStateBase::finish() {
  done_ = true;
  if (timer_) reactor_.cancel(std::exchange(timer_, 0));
  unlink();
  if (!waiter_) return;  // completed before the wait
  reactor_.post([waiter = std::move(waiter_)]() mutable { Chain::run(std::move(waiter)); });
}

void WaitStateBase::abandon() {
  auto self = shared_from_this();
  done_ = true;
  if (timer_) reactor_.cancel(std::exchange(timer_, 0));
  unlink();
  auto dropped = std::move(waiter_);  // destroys the frames, which may own this state
}

}  // namespace detail

void start(Reactor& reactor, Task<void> task, Closure on_end) {
  auto chain = std::make_unique<detail::Chain>(std::move(task), std::move(on_end));
  reactor.post([chain = std::move(chain)]() mutable { detail::Chain::run(std::move(chain)); });
}

template class Wait<void>;

}  // namespace farshore
