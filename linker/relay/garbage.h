// RelayGarbage: removes what deleted links have left at a plain Kafka target: their entries in the LinkStore, and the
// translation of their topics in __farshore_offsets. A link's own entry is deleted first. The entries of its topics
// stay until their translation is forgotten: they are the list of the remaining work, so a gateway that dies in
// between loses nothing, and any later gateway continues. Records in the topics stay as they are. Executor: the Env's.
// Owner: KafkaBackend. Calls wait for each other.
#pragma once

#include <map>
#include <string>

#include "base/env.h"
#include "linker/relay/journal.h"
#include "linker/store/link_store.h"
#include "proto/link/relay_topic.h"

namespace farshore::linker {

class RelayGarbage {
 public:
  // References outlive it. `cluster` is the target's.
  RelayGarbage(Env& env, kafka::ClusterClient& cluster, LinkStore& store, KafkaRelayJournal& journal)
      : env_(env), cluster_(cluster), store_(store), journal_(journal), turn_(env) {}

  // For links that are not stored any more (under that name, with that id): of the name `link`, or of any if it is
  // empty. Costs one fence of the log, some 30 ms, per shard, and a write per partition that was relayed. After an
  // error (those of KafkaRelayJournal and LinkStore) a later call goes on.
  Task<Status> collect(std::string link, Deadline deadline);

 private:
  struct Owned {
    kafka::ProducerIdentity producer;
    MonoTime until;
  };
  // The key's shard is in owned_, for a while yet.
  Task<Status> own_log(LinkPartition key, Deadline deadline);
  Task<Status> forget_topic(RelayTopic topic, Deadline deadline);

  Env& env_;
  kafka::ClusterClient& cluster_;
  LinkStore& store_;
  KafkaRelayJournal& journal_;
  AsyncMutex turn_;
  std::map<std::string, Owned> owned_;  // by transactional id, of one collect()
};

}  // namespace farshore::linker
