// Describes a partition in the responses of Metadata and DescribeTopicPartitions: the same facts in two message types.
#pragma once

#include "broker/handlers/services.h"
#include "broker/metadata/metadata.h"
#include "broker/partitions/partition_table.h"
#include "proto/kafka/error_code.h"

namespace farshore::broker {

// A partition of this broker that is not open is LEADER_NOT_AVAILABLE.
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
