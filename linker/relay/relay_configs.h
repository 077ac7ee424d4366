// The configs of a relay's topic at the target that are the relay's own, whatever the source says.
#pragma once

#include <map>
#include <string>

namespace farshore::linker {

// Everything is kept until the relay has caught up.
inline constexpr const char* kRetentionKeys[] = {"retention.ms", "retention.bytes"};
inline constexpr const char* kKeepAll = "-1";

// Batches stay as they are, and none is refused for the time that its records carry.
const std::map<std::string, std::string>& own_configs();
// Since Apache Kafka 3.6; older ones accept old records and know only the difference.
const std::map<std::string, std::string>& any_timestamp();

}  // namespace farshore::linker
