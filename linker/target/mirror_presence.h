// MirrorPresence: which mirror topics of one link a Farshore target still has, as the link made them, ended ones
// included. An append to a topic that was deleted is refused, but an idle mirror appends nothing: so the target's
// metadata is looked at in each round of discovery. Executor: the Env's. Owner: MirrorTarget.
#pragma once

#include <map>
#include <string>

#include "linker/target/cluster_identity.h"

namespace farshore::linker {

class MirrorPresence {
 public:
  explicit MirrorPresence(ClusterAdmin& target) : target_(target) {}  // outlives it

  void made(const std::string& topic, TargetTopicId id) { known_[topic] = Known{id}; }

  // Those that are deleted, or are another topic now, with the reason; each is reported once. A topic counts as deleted
  // when three looks in a row do not find it: brokers learn of topics one after another.
  Task<Result<std::map<std::string, std::string>>> gone(Deadline deadline);

 private:
  static constexpr int kMissingLooksMax = 3;
  struct Known {
    TargetTopicId id;
    int missing_looks = 0;
  };
  ClusterAdmin& target_;
  std::map<std::string, Known> known_;
};

}  // namespace farshore::linker
