#include "offsets/client/consumer/internal/continuation.h"

#include <algorithm>

namespace farshore::client {

Continuation continuation(const TopicAtTarget& topic, int32_t partition, int64_t position) {
  int64_t end = 0;
  if (auto found = topic.partitions.find(partition); found != topic.partitions.end())
    end = found->second.failover_offset.value_or(0);
  return {end, position, std::min(position, end), std::max<int64_t>(0, position - end)};
}

std::optional<int64_t> place_at_target(const TopicAtTarget& topic, int32_t partition, const Continuation& next) {
  if (topic.relay_link.empty()) return next.continued_at;
  auto found = topic.partitions.find(partition);
  if (found == topic.partitions.end() || !found->second.failover_target_offset) return 0;
  if (next.continued_at >= next.failover_offset) return found->second.failover_target_offset;
  return std::nullopt;
}

std::optional<int64_t> start_of(std::optional<int64_t> delivered_to, std::optional<int64_t> committed) {
  if (delivered_to && committed) return std::max(*delivered_to, *committed);
  return delivered_to ? delivered_to : committed;
}

}  // namespace farshore::client
