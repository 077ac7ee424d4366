// SimMetaFaults: a MetaStore around another one, that answers as a metadata service far away does on a bad day.
//  - commit: kAmbiguous (applied or not), kUnavailable (not applied), kTimedOut (applied or not, at the deadline)
//  - range: kUnavailable; changed_since: kUnavailable, or it remembers nothing
//  - changes(): late, twice, or for nothing
// Executor: the process's.
#pragma once

#include <memory>

#include "base/meta_store.h"
#include "base/sim/env.h"

namespace farshore::sim {

struct MetaFaultRates {
  double ambiguous = 0.02, unavailable = 0.02, timed_out = 0.005;
  double forgotten = 0.1;  // of changed_since()
  double notify_late = 0.3, notify_twice = 0.1, notify_for_nothing = 0.02;
  Duration delay_min{}, delay_max = milliseconds(3);  // of every call
  Duration late_max = milliseconds(500);
};

class SimMetaFaults final : public MetaStore {
 public:
  SimMetaFaults(SimEnv& env, std::unique_ptr<MetaStore> inner, MetaFaultRates rates);
  ~SimMetaFaults() override;

  Task<Result<MetaTxnReply>> commit(MetaTxn txn, Deadline deadline) override;
  Task<Result<MetaSnapshot>> range(std::string begin, std::string end, Deadline deadline, size_t entries_max) override;
  Task<Result<MetaChanges>> changed_since(Revision since, Deadline deadline) override;
  Notifier& changes() override;

  void set_rates(MetaFaultRates rates);
  // All calls fail with kUnavailable until it is called with false.
  void set_down(bool down);
  uint64_t injected() const;

 private:
  struct State;
  static Task<void> relay(std::shared_ptr<State> state);
  static Task<void> pause(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace farshore::sim
