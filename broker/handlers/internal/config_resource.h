// Kafka's ConfigResource types that this broker knows.
#pragma once

#include <cstdint>

namespace farshore::broker {

inline constexpr int8_t kTopicResource = 2, kBrokerResource = 4;

}  // namespace farshore::broker
