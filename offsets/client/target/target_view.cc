#include "offsets/client/target/target_view.h"

#include <algorithm>

namespace farshore::client {

bool TopicAtTarget::ended() const {
  if (!promoted_or_failed_over()) return false;
  return std::all_of(partitions.begin(), partitions.end(), [](const auto& p) { return p.second.failover_offset; });
}

bool TopicAtTarget::is_open(int32_t partition) const {
  auto found = partitions.find(partition);
  return promoted_or_failed_over() && found != partitions.end() && !found->second.failover_offset;
}

}  // namespace farshore::client
