// The ends of many partitions in one request for each leader.
#pragma once

#include <map>
#include <vector>

#include "base/ids.h"
#include "proto/kafka/client/cluster_client.h"

namespace farshore::client {

using PartitionEnds = std::map<TopicPartition, Offset>;

// The high watermark of each of `partitions` (ListOffsets). Leaders that moved are looked for again until the deadline.
// kNotFound: no such topic or partition; otherwise the cluster's errors. All partitions, or an error.
Task<Result<PartitionEnds>> partition_ends(kafka::ClusterClient& cluster, std::vector<TopicPartition> partitions,
                                           Deadline deadline);

}  // namespace farshore::client
