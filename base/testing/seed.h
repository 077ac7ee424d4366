// Seeds of tests that draw random numbers.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <string>

namespace farshore {

// The seed in the environment variable FARSHORE_SEED, else `usual`. Prints it, so that a failure can be played again.
inline uint64_t announced_seed(uint64_t usual) {
  uint64_t seed = usual;
  if (const char* given = std::getenv("FARSHORE_SEED")) seed = std::stoull(given);
  std::cout << "seed: FARSHORE_SEED=" << seed << "\n";
  return seed;
}

}  // namespace farshore
