#include "broker/metadata/internal/topic_edits.h"

#include <utility>

namespace farshore::broker {

MetadataManager::TopicEdit grow_to(int32_t count) {
  return [count](TopicImage& topic) -> Status {
    auto now = static_cast<int32_t>(topic.partitions.size());
    if (count <= now)
      return Error(ErrorCode::kInvalidArgument, "topic " + topic.name + " has " + std::to_string(now) +
                                                    " partitions already: the count can only grow");
    topic.partitions.resize(static_cast<size_t>(count));
    return ok();
  };
}

MetadataManager::TopicEdit change_configs(MetadataManager::ConfigChanges changes) {
  return [changes = std::move(changes)](TopicImage& topic) -> Status {
    for (const auto& [name, value] : changes) {
      if (value)
        topic.configs[name] = *value;
      else
        topic.configs.erase(name);
    }
    return ok();
  };
}

}  // namespace farshore::broker
