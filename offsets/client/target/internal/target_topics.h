// TargetTopics: asks a target cluster about mirrors (a Farshore cluster) or about relayed topics (another Kafka). The
// target says which of the two it is. Executor: the Env's.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "offsets/client/target/internal/relay_links.h"
#include "offsets/client/target/target_view.h"
#include "proto/link/client/mirror_client.h"

namespace farshore::client {

class TargetTopics {
 public:
  // References outlive it.
  TargetTopics(Env& env, kafka::ClusterClient& target);

  // One answer for each name. Other topics of the target do not matter, whatever is wrong with them.
  Task<Result<std::map<std::string, TopicAtTarget>>> ask(std::vector<std::string> names, Deadline deadline);

 private:
  kafka::ClusterClient& target_;
  MirrorClient mirrors_;
  SlabArena arena_;
  RelayLinks relays_;  // used if the target is not a Farshore cluster
};

}  // namespace farshore::client
