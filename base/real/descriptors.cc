#include "base/real/descriptors.h"

#include <sys/resource.h>

#include <algorithm>

namespace farshore {
namespace {

constexpr rlim_t kDescriptorsUseful = 1 << 20;  // some systems have a hard limit of a thousand times more

}  // namespace

size_t raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;  // what every Linux gives
  const rlim_t wanted = std::max(limit.rlim_cur, std::min(limit.rlim_max, kDescriptorsUseful));
  rlimit raised = limit;
  raised.rlim_cur = wanted;
  if (wanted > limit.rlim_cur && ::setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
  return static_cast<size_t>(std::min(limit.rlim_cur, kDescriptorsUseful));
}

}  // namespace farshore
