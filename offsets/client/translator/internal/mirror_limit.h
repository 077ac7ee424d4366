// Which offsets of a mirror translate: the same offset, if both clusters agree on it. Pure, no I/O.
#pragma once

#include <cstdint>

#include "offsets/client/problem.h"
#include "offsets/client/target/target_view.h"

namespace farshore::client {

struct MirrorLimit {
  Problem problem;     // kNone: `offset` translates. kNotMirrored, kUnavailable (`limit` is unknown), kOutOfRange
  int64_t limit = -1;  // the highest offset that translates; -1: unknown
  bool ended = false;  // promoted or failed over
};

// `topic` null: the target has no such topic.
MirrorLimit mirror_limit(const TopicAtTarget* topic, int32_t partition, int64_t offset);

}  // namespace farshore::client
