// FairTurn: a handler that works on a long list lets others run after some milliseconds. A request may have 300,000
// elements, and there is one thread:
//   FairTurn turn(env);
//   for (...) {
//     if (turn.over()) co_await turn.yield();
//     ...
//   }
#pragma once

#include <cstddef>

#include "base/env.h"

namespace farshore::broker {

class FairTurn {
 public:
  static constexpr Duration kTurn = milliseconds(5);
  static constexpr size_t kElementsPerLook = 64;  // the clock is read once for so many

  explicit FairTurn(Env& env) : env_(env), begun_(env.now()) {}
  bool over() { return ++elements_ % kElementsPerLook == 0 && env_.now() - begun_ >= kTurn; }
  Task<void> yield() {
    Wait<void> turn(env_);
    env_.post([turn] { turn.complete(ok()); });
    (void)co_await turn.wait(Deadline::never());
    begun_ = env_.now();
  }

 private:
  Env& env_;
  MonoTime begun_;
  size_t elements_ = 0;
};

}  // namespace farshore::broker
