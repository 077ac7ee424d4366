// Values that Kafka gives a meaning in several of its messages.
#pragma once

#include <cstdint>

namespace farshore::kafka {

// ListOffsets asks by these instead of a time (KIP-79, KIP-734).
constexpr int64_t kLatestTimestamp = -1;
constexpr int64_t kEarliestTimestamp = -2;

// isolation_level of Fetch and ListOffsets (KIP-98).
constexpr int8_t kReadUncommitted = 0;
constexpr int8_t kReadCommitted = 1;

// resource_type of DescribeConfigs and IncrementalAlterConfigs (ConfigResource.Type).
constexpr int8_t kTopicResource = 2;

// The last version of Fetch that names topics; later ones have topic ids (KIP-516).
constexpr int16_t kFetchByNameVersionMax = 12;

}  // namespace farshore::kafka
