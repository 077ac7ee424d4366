#include "offsets/client/target/target_view.h"

#include <algorithm>

namespace farshore::client {

bool TopicAtTarget::ended() const {
  if (state != State::kPromoted && state != State::kFailedOver) return false;
  return std::all_of(partitions.begin(), partitions.end(), [](const auto& p) { return p.second.failover_offset; });
}

}  // namespace farshore::client
