// ConfigSync: gives topics at the target the values that the source has for the configs that the link follows, and
// notes per topic where the two ends differ ("drift"). It has no loop of its own: its rounds are part of topic
// discovery, which reads the source's configs. Executor: the Env's. Owner: Link.
#pragma once

#include <map>

#include "linker/link/tasks/link_task.h"

namespace farshore::linker {

class ConfigSync final : public LinkTask {
 public:
  using Configs = std::map<std::string, std::string>;
  using TopicConfigs = std::map<std::string, Configs>;

  explicit ConfigSync(LinkParts link) : LinkTask(link, "config-sync") {}

  // A round, counted as one of this task. `source`: the configs that are set at the source, by source topic.
  Task<void> sync(TopicConfigs source, Deadline deadline);

 private:
  Task<Status> sync_topics(TopicConfigs source, Deadline deadline);
  // An error ends the round. `refused`: the last change that the target refused and may take later.
  Task<Status> sync_topic(MirrorTopic& topic, Configs source, Configs target, Status& refused, Deadline deadline);
};

}  // namespace farshore::linker
