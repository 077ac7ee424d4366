// Reply<T>: one answer between its giver and the one coroutine that waits for it. The waiter may stop waiting (its
// connection is gone); the giver need not know. Copyable handle. Executor: the Env's.
#pragma once

#include <memory>
#include <optional>
#include <utility>

#include "base/event.h"

namespace farshore::broker {

template <class T>
class Reply {
 public:
  explicit Reply(Reactor& reactor) : state_(std::make_shared<State>(reactor)) {}

  // Only the first one counts.
  void complete(T value) const {
    if (state_->value) return;
    state_->value = std::move(value);
    state_->done.complete(ok());
  }
  bool completed() const { return state_->value.has_value(); }

  // nullopt: not in time, or `gone` was notified or closed first. At most one coroutine waits.
  Task<std::optional<T>> wait(Deadline deadline, Notifier* gone = nullptr) const {
    if (gone) gone->add(state_->done);
    return run(state_, deadline);
  }

 private:
  struct State {
    explicit State(Reactor& reactor) : done(reactor) {}
    Wait<void> done;
    std::optional<T> value;
  };
  static Task<std::optional<T>> run(std::shared_ptr<State> state, Deadline deadline) {
    (void)co_await state->done.wait(deadline);
    co_return state->value;
  }
  std::shared_ptr<State> state_;
};

// A reply that is complete already.
template <class T>
Reply<T> completed(Reactor& reactor, T value) {
  Reply<T> reply(reactor);
  reply.complete(std::move(value));
  return reply;
}

}  // namespace farshore::broker
