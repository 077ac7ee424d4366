// ConfigSync: gives topics at the target the values that the source has for the configs that the link follows, and
// notes per topic where the two ends differ ("drift"). It has no loop of its own: its rounds are part of topic
// discovery, which reads the source's configs. Executor: the Env's. Owner: Link.
#pragma once

#include <map>
#include <optional>

#include "linker/link/tasks/link_task.h"

namespace farshore::linker {

class ConfigSync final : public LinkTask {
 public:
  using Configs = std::map<std::string, std::string>;
  using TopicConfigs = std::map<std::string, Configs>;

  explicit ConfigSync(LinkParts link) : LinkTask(link, "config-sync") {}

  // The configs of topics of the source that the target should have, by source topic: those that are set there, and
  // with ConfigDefaults::kSource also the values that hold there of data_configs().
  Task<Result<TopicConfigs>> source_configs(std::vector<std::string> topics, Deadline deadline);
  // A round, counted as one of this task. `source`: of source_configs().
  Task<void> sync(TopicConfigs source, Deadline deadline);

 private:
  struct OfTopic {
    Configs source;                           // source_configs()
    Configs target, target_effective;         // set on the topic at the target, and what holds there
    std::optional<Configs> source_effective;  // only where the target's defaults hold: to show what differs
  };
  struct Round {
    TopicConfigs source;
    kafka::ClusterAdmin::SetAndEffective target;
    std::optional<TopicConfigs> source_effective;  // only where the target's defaults hold
    Status failed;                                 // ends the round
    Status refused;                                // the last change that the target refused and may take later
  };
  Task<Status> sync_topics(TopicConfigs source, Deadline deadline);
  Task<void> sync_one(const std::string& name, Round& round, Deadline deadline);
  // An error ends the round. `refused`: as of a Round.
  Task<Status> sync_topic(MirrorTopic& topic, OfTopic configs, Status& refused, Deadline deadline);
  // Keys that the link does not set at the target, and that have other values there.
  std::vector<std::string> drift_of(const OfTopic& configs) const;
};

}  // namespace farshore::linker
