// RelayLeftovers: what deleted links leave behind at a plain Kafka target. A deleted link's entry goes first; its
// topics' entries stay until what the translation's log holds about them is forgotten, so that a gateway that dies in
// between leaves a list of what is still to be done, which the next one works off. Executor: the Env's. One call at a
// time is at work, others wait for it.
#pragma once

#include <string>

#include "base/env.h"
#include "linker/relay/journal.h"
#include "linker/store/link_store.h"
#include "proto/link/relay_topic.h"

namespace farshore::linker {

class RelayLeftovers {
 public:
  // References outlive it. `cluster` is the target's.
  RelayLeftovers(Env& env, kafka::ClusterClient& cluster, LinkStore& store, KafkaRelayJournal& journal)
      : env_(env), cluster_(cluster), store_(store), journal_(journal), turn_(env) {}

  // Forgets what belongs to links that are not stored any more (under that name, with that id), and then deletes their
  // entries. `link` empty: of any name. Costs one takeover of the log, some 30 ms, per partition that was relayed. The
  // records at the target stay as they are. Errors as KafkaRelayJournal and LinkStore: what is left is left, call
  // again.
  Task<Status> forget(std::string link, Deadline deadline);

 private:
  Task<Status> forget_topic(RelayTopic topic, Deadline deadline);

  Env& env_;
  kafka::ClusterClient& cluster_;
  LinkStore& store_;
  KafkaRelayJournal& journal_;
  AsyncMutex turn_;
};

}  // namespace farshore::linker
