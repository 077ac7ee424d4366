// TopicPresence: are the topics that a relay link fills still at the target, and still the same ones? A topic that was
// deleted and created again has another id; records relayed so far are not in it.
// Executor: the Env's. Owner: RelayTarget. Deadlines are the caller's.
#pragma once

#include <map>
#include <string>

#include "linker/relay/relay_topic_store.h"
#include "proto/kafka/client/topic_admin.h"

namespace farshore::linker {

class TopicPresence {
 public:
  // References outlive it.
  TopicPresence(ClusterAdmin& cluster, const RelayTopicStore& topics) : cluster_(cluster), topics_(topics) {}

  // Of all topics of the link that were not ended: those that are deleted or created again, with the reason. A topic
  // counts as gone when three looks in a row do not find it: brokers learn of topics one after another.
  Task<Result<std::map<std::string, std::string>>> gone(Deadline deadline);
  // The topic is not there any more, by several looks, or another one that nobody has written to has its name.
  Task<Result<bool>> is_gone(RelayTopic topic, Deadline deadline);
  // kInvalidArgument: this topic is deleted or created again, by one look at the target.
  Task<Status> check(RelayTopic topic, Deadline deadline);

 private:
  ClusterAdmin& cluster_;
  const RelayTopicStore& topics_;
  std::map<std::string, int> missing_looks_;  // by topic: looks in a row that did not find it
};

}  // namespace farshore::linker
