// One seeded run: a source broker, a target broker, the real gateway between them, producers, and faults; then healing,
// convergence, and the rules of History. A violation is fully described by the seed and the length.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/plant.h"
#include "tests/simulation/history.h"

namespace farshore::simulation {

enum class EndKind : uint8_t { kConverge, kPromote, kFailover };

struct RunOptions {
  uint64_t seed = 1;
  Duration length = seconds(20);  // virtual, with faults; healing comes after
  bool verbose = false;           // faults on stdout
  std::string plant;              // the injected defect, by its name in base/plant.h; empty: none
  bool plants(Plant which) const { return plant == kPlants[static_cast<size_t>(which)].name(); }
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
