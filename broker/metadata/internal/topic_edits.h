// The changes of a topic that MetadataManager offers by name: each is an edit for update_topic().
#pragma once

#include "broker/metadata/metadata.h"

namespace farshore::broker {

// To `count` partitions in all. kInvalidArgument: not more than now.
MetadataManager::TopicEdit grow_to(int32_t count);
// nullopt removes the override.
MetadataManager::TopicEdit change_configs(MetadataManager::ConfigChanges changes);

}  // namespace farshore::broker
