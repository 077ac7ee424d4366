#include "base/ensure.h"

#include <cstdio>
#include <cstdlib>

namespace farshore {

void ensure_failed(const char* condition, const char* why, const char* file, int line) {
  std::fprintf(stderr, "farshore: invariant broken at %s:%d: %s (%s)\n", file, line, why, condition);
  std::fflush(stderr);
  std::abort();
}

}  // namespace farshore
