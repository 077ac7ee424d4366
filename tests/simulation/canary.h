// The canary of the simulation: it proves that the checker can fail.
#pragma once

#include <cstdint>

#include "tests/simulation/link_scenario.h"

namespace farshore::simulation {

// Plays a good run, then changes its history in one wrong way after the other. Returns 1 if the checker found every
// change; 0 if it missed one, or if no good run was there to begin with. (So a test of it passes when it fails.)
int run_canary(RunOptions options, uint64_t first_seed);

}  // namespace farshore::simulation
