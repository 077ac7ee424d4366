#include "base/turn_budget.h"

namespace farshore {

Task<void> TurnBudget::next_turn() {
  Wait<void> turn(reactor_);
  reactor_.post([turn] { turn.complete(ok()); });
  (void)co_await turn.wait(Deadline::never());
  began_ = reactor_.now();
  bytes_ = 0;
}

}  // namespace farshore
