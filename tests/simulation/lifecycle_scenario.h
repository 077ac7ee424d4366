// A seeded run of the life around the bytes: two gateways of one target that take over from each other, a third one
// that does what it must not, operators whose verbs overlap and give up, and topics that are written, trimmed inside
// batches and by retention, compacted, grown, deleted and made anew, with the faults of the other scenario. At the end
// nothing needs a restart, and nothing is left behind.
#pragma once

#include "tests/simulation/link_scenario.h"

namespace farshore::simulation {

struct LifecycleResult {
  uint64_t hash = 0, steps = 0;
  size_t written = 0, answers = 0, faults = 0;  // batches, answers to verbs, faults
  size_t active = 0, ended = 0;                 // topics at the end: mirrored, promoted or failed over
  size_t losses = 0, intrusions = 0;            // ranges that mirrors lost; batches that must be refused
  std::string how;
  std::vector<std::string> violations;
};

LifecycleResult run_lifecycle(const RunOptions& options);

}  // namespace farshore::simulation
