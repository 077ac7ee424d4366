#include "linker/link/tasks/periodic_task.h"

namespace farshore::linker {
namespace {

constexpr Duration kRoundLimit = seconds(20);

}  // namespace

Task<void> PeriodicTask::run() {
  while (!link_.stopping.is_set()) {
    wake_.reset();  // before the round: who wakes the task during a round is served by another one
    if (due()) {
      const MonoTime begun = link_.env.now();
      const Deadline deadline = link_.env.in(kRoundLimit);
      auto done = co_await round(deadline);
      // The target has refused a write because it is not this gateway's link any more: the link is told.
      if (!done && done.error() == ErrorCode::kFenced) (void)co_await link_.ownership.check(deadline);
      began(begun);
      ran(done);
    }
    if (link_.stopping.is_set()) break;
    (void)co_await wake_.wait(link_.env.in(interval()));
  }
}

void PeriodicTask::stop() {
  wake_.set();
  round_ended_.notify();
}

Task<Status> PeriodicTask::first_round(Deadline deadline) {
  while (rounds() == 0 && !link_.stopping.is_set()) CO_CHECK(co_await round_ended_.wait(deadline));
  if (last_error().code != ErrorCode::kNone) co_return last_error();
  co_return ok();
}

void PeriodicTask::ran(const Status& status) {
  LinkTask::ran(status);
  round_ended_.notify();
}

}  // namespace farshore::linker
