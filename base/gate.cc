#include "base/gate.h"

namespace farshore {

Task<void> Gate::close() {
  closed_ = true;
  while (count_ > 0) (void)co_await empty_.wait(Deadline::never());
}

bool spawn(Gate& gate, const char* /*name*/, Task<void> task) {
  Gate::Holder holder(gate);
  if (!holder) return false;
  // The holder leaves the gate after the task's frame is destroyed.
  start(gate.reactor(), std::move(task), [holder = std::move(holder)]() mutable { auto left = std::move(holder); });
  return true;
}

}  // namespace farshore
