// What Metadata and DescribeTopicPartitions say of a partition and of what a client may do: the same facts in two
// message types.
#pragma once

#include "broker/metadata/metadata.h"
#include "broker/partitions/partition_table.h"
#include "broker/services.h"
#include "proto/kafka/error_code.h"

namespace farshore::broker {

// Bit n: operation n of Kafka's AclOperation. Without an authorizer everything that exists for the resource is allowed.
inline constexpr int32_t kTopicOperations = 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 10 | 1 << 11;
inline constexpr int32_t kClusterOperations = 1 << 5 | 1 << 7 | 1 << 8 | 1 << 9 | 1 << 10 | 1 << 11 | 1 << 12;

template <class PartitionMessage>
void describe_partition(const Services& services, const TopicImage& topic, const PartitionImage& partition,
                        PartitionMessage& to) {
  to.partition_index = partition.partition;
  to.leader_id = partition.leader.value();
  to.leader_epoch = partition.leadership_epoch.value();
  for (auto id : partition.replicas) to.replica_nodes.push_back(id.value());
  for (auto id : partition.isr) to.isr_nodes.push_back(id.value());
  if (partition.leader != services.metadata.self()) return;
  auto open = services.partitions.find(topic.id, partition.partition);
  if (open) return;
  to.error_code = static_cast<int16_t>(kafka::ErrorCode::kLeaderNotAvailable);
  to.leader_id = -1;
  to.offline_replicas.push_back(partition.leader.value());
}

}  // namespace farshore::broker
