// Finds the partition that a client's request names, or Kafka's error code for it.
#pragma once

#include <string>
#include <string_view>

#include "broker/partitions/partition_table.h"
#include "proto/kafka/error_code.h"
#include "proto/kafka/refusal.h"

namespace farshore::broker {

struct FoundPartition {
  kafka::ErrorCode error = kafka::ErrorCode::kNone;
  std::string why;         // with an error: what the broker knows about it; may be empty
  PartitionPtr partition;  // null with an error
  // What the client is told, where the protocol has room for a text.
  kafka::Refusal refusal() const { return {error, why}; }
};

// UNKNOWN_TOPIC_OR_PARTITION; NOT_LEADER_OR_FOLLOWER (elsewhere, or being opened); KAFKA_STORAGE_ERROR (offline).
FoundPartition find_partition(const PartitionTable& table, std::string_view topic, int32_t partition);
// The same; and UNKNOWN_TOPIC_ID if `image` has no such topic (a zero id included).
FoundPartition find_partition(const PartitionTable& table, const ClusterImage& image, const TopicId& topic,
                              int32_t partition);
// Fencing (KIP-320): FENCED_LEADER_EPOCH if the client's is older, UNKNOWN_LEADER_EPOCH if it is newer; -1 is any
// (other negative ones are older than all).
kafka::ErrorCode check_leader_epoch(const Partition& partition, int32_t current_leader_epoch);

}  // namespace farshore::broker
