// From what a client's request says of a partition to the partition, or to Kafka's error for it.
#pragma once

#include <string_view>

#include "broker/partitions/partition_table.h"
#include "broker/services.h"
#include "proto/kafka/error_code.h"

namespace farshore::broker {

struct FoundPartition {
  kafka::ErrorCode error = kafka::ErrorCode::kNone;
  PartitionPtr partition;  // null with an error
};

// UNKNOWN_TOPIC_OR_PARTITION; KAFKA_STORAGE_ERROR (the partition is offline).
FoundPartition find_partition(const Services& services, std::string_view topic, int32_t partition);
// UNKNOWN_TOPIC_ID as well (also for a zero id).
FoundPartition find_partition(const Services& services, const TopicId& topic, int32_t partition);
// Fencing (KIP-320): FENCED_LEADER_EPOCH if the client's is older, UNKNOWN_LEADER_EPOCH if it is newer; -1 is any.
kafka::ErrorCode check_leader_epoch(const Partition& partition, int32_t current_leader_epoch);

}  // namespace farshore::broker
