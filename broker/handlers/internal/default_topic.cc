#include "broker/handlers/internal/default_topic.h"

#include <utility>

#include "broker/groups/coordinator.h"
#include "broker/partitions/topic_creator.h"

namespace farshore::broker {

NewTopic default_topic(const Services& services, std::string name) {
  NewTopic topic;
  topic.partitions = services.topics.limits().partitions_default;
  if (const InternalTopic offsets = services.groups.topic(); name == offsets.name) {
    topic.partitions = offsets.partitions;
    topic.configs = offsets.configs;
    topic.internal = true;
  }
  topic.name = std::move(name);
  return topic;
}

}  // namespace farshore::broker
