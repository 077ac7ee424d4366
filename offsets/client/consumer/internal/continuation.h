// Where a partition continues after a failover: min(position, failover offset); the records in between were consumed at
// the source and do not exist at the target. Pure rules, no I/O.
#pragma once

#include <cstdint>
#include <optional>

#include "offsets/client/target/target_view.h"

namespace farshore::client {

struct Continuation {  // in offsets of the source
  int64_t failover_offset, position, continued_at, consumed_but_lost;
};
// If the target does not have the partition, it was never mirrored: its failover offset is 0.
Continuation continuation(const TopicAtTarget& topic, int32_t partition, int64_t position);

// The offset of `next` at the target, if it follows without the link's translation. On a mirror it always does. On a
// relay it does at the end of the partition, and if nothing was relayed into it (all records there are the target's
// own).
std::optional<int64_t> place_at_target(const TopicAtTarget& topic, int32_t partition, const Continuation& next);

// Where a newly assigned partition starts: after everything that this process delivered and that the group committed.
// nullopt: neither is known, and auto.offset.reset decides.
std::optional<int64_t> start_of(std::optional<int64_t> delivered_to, std::optional<int64_t> committed);

}  // namespace farshore::client
