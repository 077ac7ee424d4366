// Asks the leader of a target partition what it remembers besides its log: producers, and where leader epochs end. Each
// question is repeated until its deadline while there is no leader or the connection is lost.
// Executor: the Env's. Source: KIP-664 (DescribeProducers), KIP-279; tried on Apache Kafka 4.1.1.
#pragma once

#include <optional>
#include <vector>

#include "proto/kafka/client/cluster_client.h"
#include "replicator/relay/evidence.h"

namespace farshore::replicator {

// Empty from a broker that is too old to tell (before KIP-664).
Task<Result<std::vector<RememberedProducer>>> remembered_producers(kafka::ClusterClient& cluster, TopicPartition at,
                                                                   Deadline deadline);

// Where the records of the leader epochs up to `epoch` end; nothing if the target cannot tell.
Task<Result<std::optional<TargetOffset>>> end_of_epoch(kafka::ClusterClient& cluster, TopicPartition at,
                                                       LeadershipEpoch epoch, Deadline deadline);

}  // namespace farshore::replicator
