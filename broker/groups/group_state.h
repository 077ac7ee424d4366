// The states of a classic consumer group, and its limits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/time.h"

namespace farshore::broker {

enum class GroupState : uint8_t { kEmpty, kPreparingRebalance, kCompletingRebalance, kStable, kDead };
std::string_view group_state_name(GroupState state);  // as Kafka's tools spell it

struct GroupLimits {
  Duration initial_rebalance_delay = seconds(3);  // group.initial.rebalance.delay.ms
  Duration new_member_join_max = minutes(5);      // after so long a new member whose client is gone is removed
  size_t members_max = 10000;                     // group.max.size; also of member ids that are only handed out
};

}  // namespace farshore::broker
