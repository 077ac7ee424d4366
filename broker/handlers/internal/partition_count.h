// How many partitions one request may make: each costs files, memory and a record of the metadata. The limit is that of
// Kafka's controller, or one topic of the largest size that this broker allows.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

#include "broker/metadata/refusal.h"

namespace farshore::broker {

inline constexpr int64_t kNewPartitionsPerRequest = 10'000;

inline Refusal check_new_partitions(int64_t partitions, int32_t per_topic_max) {
  const int64_t most = std::max<int64_t>(kNewPartitionsPerRequest, per_topic_max);
  if (partitions <= most) return {};
  return {kafka::ErrorCode::kPolicyViolation,
          "one request makes at most " + std::to_string(most) + " partitions; this one asks for more: ask in parts"};
}

}  // namespace farshore::broker
