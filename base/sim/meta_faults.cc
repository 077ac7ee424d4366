#include "base/sim/meta_faults.h"

#include "base/sim/world.h"

namespace farshore::sim {

struct SimMetaFaults::State {
  State(SimEnv& e, std::unique_ptr<MetaStore> i, MetaFaultRates r)
      : env(e), inner(std::move(i)), rates(r), changes(e), random(e.world().fault_random().fork()) {}
  SimEnv& env;
  std::unique_ptr<MetaStore> inner;
  MetaFaultRates rates;
  Notifier changes;
  Random random;
  uint64_t injected = 0;
  bool down = false, closed = false;

  Error inject(ErrorCode code) {
    ++injected;
    return Error(code, "simulated metadata failure");
  }
};

SimMetaFaults::SimMetaFaults(SimEnv& env, std::unique_ptr<MetaStore> inner, MetaFaultRates rates)
    : state_(std::make_shared<State>(env, std::move(inner), rates)) {
  env.world().spawn(env, relay(state_));
}

SimMetaFaults::~SimMetaFaults() {
  state_->closed = true;
  state_->changes.close();
  state_->inner->changes().close();  // ends relay(), which owns the rest
}

Notifier& SimMetaFaults::changes() { return state_->changes; }
void SimMetaFaults::set_rates(MetaFaultRates rates) { state_->rates = rates; }
void SimMetaFaults::set_down(bool down) { state_->down = down; }
uint64_t SimMetaFaults::injected() const { return state_->injected; }

Task<void> SimMetaFaults::pause(std::shared_ptr<State> state) {
  const auto& r = state->rates;
  co_await state->env.delay(nanoseconds(state->random.between(r.delay_min.count(), r.delay_max.count())));
}

Task<void> SimMetaFaults::relay(std::shared_ptr<State> state) {
  while (!state->closed) {
    const Deadline idle = state->env.in(milliseconds(state->random.between(100, 2'000)));
    auto changed = co_await state->inner->changes().wait(idle);
    if (state->closed) co_return;
    if (!changed) {
      if (changed.error() != ErrorCode::kTimedOut) co_return;
      if (state->random.chance(state->rates.notify_for_nothing)) state->changes.notify();
      continue;
    }
    if (state->random.chance(state->rates.notify_late)) {  // what happens meanwhile is told once, late
      co_await state->env.delay(nanoseconds(state->random.between(0, state->rates.late_max.count())));
      if (state->closed) co_return;
    }
    state->changes.notify();
    if (state->random.chance(state->rates.notify_twice)) {
      co_await pause(state);
      state->changes.notify();
    }
  }
}

Task<Result<MetaTxnReply>> SimMetaFaults::commit(MetaTxn txn, Deadline deadline) {
  auto state = state_;
  co_await pause(state);
  if (state->down || state->random.chance(state->rates.unavailable)) co_return state->inject(ErrorCode::kUnavailable);
  const bool ambiguous = state->random.chance(state->rates.ambiguous);
  const bool timed_out = !ambiguous && state->random.chance(state->rates.timed_out);
  const bool applied = !(ambiguous || timed_out) || state->random.chance(0.5);
  Result<MetaTxnReply> reply = MetaTxnReply{};
  if (applied) reply = co_await state->inner->commit(std::move(txn), deadline);
  co_await pause(state);
  if (timed_out && !deadline.is_never()) {
    Wait<void> rest(state->env);
    (void)co_await rest.wait(deadline);
    co_return state->inject(ErrorCode::kTimedOut);
  }
  if (ambiguous || timed_out) co_return state->inject(ErrorCode::kAmbiguous);
  co_return reply;
}

Task<Result<MetaSnapshot>> SimMetaFaults::range(std::string begin, std::string end, Deadline deadline,
                                                size_t entries_max) {
  auto state = state_;
  co_await pause(state);
  if (state->down || state->random.chance(state->rates.unavailable)) co_return state->inject(ErrorCode::kUnavailable);
  co_return co_await state->inner->range(std::move(begin), std::move(end), deadline, entries_max);
}

Task<Result<MetaChanges>> SimMetaFaults::changed_since(Revision since, Deadline deadline) {
  auto state = state_;
  co_await pause(state);
  if (state->down || state->random.chance(state->rates.unavailable)) co_return state->inject(ErrorCode::kUnavailable);
  if (state->random.chance(state->rates.forgotten)) co_return state->inject(ErrorCode::kNotFound);
  co_return co_await state->inner->changed_since(since, deadline);
}

}  // namespace farshore::sim
