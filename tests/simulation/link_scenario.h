// One seeded run: a source broker, a target broker, the real gateway between them, producers, and faults; then healing,
// convergence, and the rules of History. A violation is fully described by the seed and the length.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/time.h"
#include "tests/simulation/history.h"

namespace farshore::simulation {

enum class EndKind : uint8_t { kConverge, kPromote, kFailover };

struct RunOptions {
  uint64_t seed = 1;
  Duration length = seconds(20);  // virtual, with faults; healing comes after
  bool verbose = false;           // faults on stdout
  // An injected defect: after a reset, pumps continue from the gateway's memory and not from the target's position.
  bool plant_resume_from_memory = false;
  // An injected defect: after a truncation, the target's log takes its old end for durable.
  bool plant_high_watermark_before_truncation = false;
};

struct RunResult {
  uint64_t hash = 0, steps = 0;
  Duration virtual_time{};
  size_t acknowledged = 0, commits = 0, faults = 0;
  EndKind kind = EndKind::kConverge;
  std::string how;  // the choices of the seed
  std::vector<std::string> violations;
  // The input of the checker, for the canary.
  History history{0};
  std::vector<PartitionState> end;
};

RunResult run_link(const RunOptions& options);

}  // namespace farshore::simulation
