// Makes the compacted topics in which gateways keep their state at a Kafka cluster, and checks those that exist.
// Executor: the Env's.
#pragma once

#include <string>

#include "proto/kafka/client/cluster_client.h"

namespace farshore::kafka {

struct CompactedTopic {
  std::string cluster_id, name;
  TopicId id;
  int32_t partitions = 0;
};

// Returns the topic as the cluster shows it. If the topic does not exist, it is created with `partitions_min`
// partitions, cleanup.policy=compact, compression.type=producer and the cluster's default replication factor.
// kConflict: the topic exists, but is not compacted or has fewer partitions (the error says what to do).
Task<Result<CompactedTopic>> ensure_compacted_topic(ClusterClient& cluster, std::string name, int32_t partitions_min,
                                                    Deadline deadline);

}  // namespace farshore::kafka
