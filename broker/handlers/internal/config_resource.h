// ConfigResource: what a request about configs names: Kafka's types that this broker knows, and the rules that all
// changes of configs share.
#pragma once

#include <cstdint>
#include <string>

#include "base/task.h"
#include "broker/handlers/services.h"
#include "broker/metadata/metadata.h"
#include "broker/metadata/refusal.h"

namespace farshore::broker {

inline constexpr int8_t kTopicResource = 2, kBrokerResource = 4;

// What must be right of a resource before its configs are looked at: it is a topic that exists (`topic`: found there),
// and the request names it once.
Refusal check_changeable(int8_t type, const std::string& name, bool repeated, const TopicImage* topic);

// Makes the changes, and waits until the open partitions have them.
Task<Refusal> change_configs(Services& services, TopicId topic, MetadataManager::ConfigChanges changes);

}  // namespace farshore::broker
