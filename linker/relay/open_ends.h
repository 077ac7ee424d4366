// RelayOpenEnds: ends the partitions that a failover has left open because they were offline at the target
// (EndState::kOffline): takes each over once more when it has a leader again, and stores its end in the topic's record.
// Executor: the Env's. Owner: the call.
#pragma once

#include "linker/relay/journal.h"
#include "linker/relay/relay_topic_store.h"
#include "proto/kafka/client/topic_admin.h"
#include "replicator/relay/relay_sink.h"

namespace farshore::linker {

class RelayOpenEnds {
 public:
  struct Relay {  // the link's parts that it works with; all outlive it
    Env& env;
    ClusterAdmin& target;
    replicator::RelaySink& sink;
    KafkaRelayJournal& journal;
    RelayTopicStore& topics;
    LinkId link;
  };
  explicit RelayOpenEnds(Relay relay) : relay_(relay) {}

  // One try of each open end, side by side. What stays open is tried again by the next call. RelayTopicStore::load()
  // was called.
  Task<void> complete(Deadline deadline);

 private:
  Task<void> complete_one(RelayTopic topic, int32_t partition, Deadline deadline);
  Task<Result<PromotionRecord::PartitionEnd>> find_end(RelayTopic topic, PromotionRecord::PartitionEnd open,
                                                       Deadline deadline);

  const Relay relay_;
};

}  // namespace farshore::linker
