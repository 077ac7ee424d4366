// Encodes and decodes the values of the MetaStore: compact JSON: FORMAT.md lists keys and fields. Unknown fields are
// ignored, a higher "v" is refused.
#pragma once

#include <string>
#include <string_view>

#include "broker/metadata/cluster_image.h"

namespace farshore::broker {

inline constexpr std::string_view kClusterKey = "cluster";
inline constexpr std::string_view kBrokerPrefix = "broker/";
inline constexpr std::string_view kTopicPrefix = "topic/";
inline constexpr std::string_view kPartitionPrefix = "partition/";
inline constexpr std::string_view kTopicPartPrefix = "topic_part/";
inline constexpr std::string_view kProducerIdsKey = "producer_ids";

std::string broker_key(BrokerId id);
std::string topic_key(std::string_view name);
std::string partition_key(const TopicId& id, int32_t partition);
// kCorrupt: not such a key.
struct PartitionKey {
  TopicId topic;
  int32_t partition = 0;
};
Result<PartitionKey> parse_partition_key(std::string_view key);

struct ClusterRecord {
  std::string cluster_id;
  Uuid incarnation;
  int64_t salt = 0;
};

// Decoders: kCorrupt (not such a value), kUnsupported (written by a later version of Farshore).
std::string encode_cluster(const ClusterRecord& cluster);
Result<ClusterRecord> decode_cluster(std::string_view value);
std::string encode_broker(const BrokerImage& broker);
Result<BrokerImage> decode_broker(BrokerId id, std::string_view value);
// The counter below which everything has been handed out (producer_ids.h).
std::string encode_producer_ids(int64_t next_counter);
Result<int64_t> decode_producer_ids(std::string_view value);
std::string encode_partition(const PartitionImage& partition);
Result<PartitionImage> decode_partition(int32_t partition, std::string_view value);
// Everything of a topic but what its partitions' own keys hold; `partitions` gets its size. `parts` is not in it.
std::string encode_topic(const TopicImage& topic);
Result<TopicImage> decode_topic(std::string name, std::string_view value);
// What the topic's own key holds if its record is stored in parts. Decoding: nullopt if the value is the whole record.
std::string encode_topic_parts(const TopicParts& parts);
Result<std::optional<TopicParts>> decode_topic_parts(std::string_view name, std::string_view value);

}  // namespace farshore::broker
