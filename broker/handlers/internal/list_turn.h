// A request may have 300,000 elements, and there is one thread. So a handler that works on a list gives way:
//   TurnBudget turn(services.env);
//   for (...) {
//     if (turn.spend(kListElementWork)) co_await turn.next_turn();
//     ...
//   }
#pragma once

#include "base/turn_budget.h"

namespace farshore::broker {

inline constexpr size_t kListElementWork = 1 << 10;  // what an element counts in a TurnBudget

}  // namespace farshore::broker
