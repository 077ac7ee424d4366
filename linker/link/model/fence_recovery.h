// FenceRecovery: decides, for partitions that were fenced, whether this gateway takes them back.
// Being fenced does not prove that another gateway is in control: at a Kafka target the later fence wins, and a delayed
// takeover request of an older gateway can fence a newer one; a Farshore target that was wiped knows no link at all. So
// LinkOwnership is asked: if the link is still this gateway's, the partitions are taken back, and the other gateway
// learns that it has lost control when it next looks. If it is not known, they wait. Otherwise the link has failed
// here. Executor: the Env's. Owner: Link. Work runs in the link's gate.
#pragma once

#include <map>

#include "base/gate.h"
#include "linker/link/model/link_ownership.h"
#include "linker/link/model/mirror_topics.h"

namespace farshore::linker {

class FenceRecovery {
 public:
  // References outlive it, and the gate is closed before it goes. `stopping`: the link ends.
  FenceRecovery(Env& env, LinkOwnership& ownership, MirrorTopics& topics, replicator::Replicator& replicator,
                Event& stopping, Gate& gate);

  // The pump of this partition has failed with kFenced.
  void fenced(const LinkPartition& key, const Error& why);

 private:
  Task<void> recover();
  void take_back(const LinkPartition& key, const Error& why);

  Env& env_;
  LinkOwnership& ownership_;
  MirrorTopics& topics_;
  replicator::Replicator& replicator_;
  Event& stopping_;
  Gate& gate_;
  std::map<LinkPartition, Error> fenced_;
  bool recovering_ = false;
};

}  // namespace farshore::linker
