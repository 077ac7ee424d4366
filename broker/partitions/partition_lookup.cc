#include "broker/partitions/partition_lookup.h"

#include "broker/metadata/metadata.h"
#include "broker/metadata/refusal.h"

namespace farshore::broker {
namespace {

using Code = kafka::ErrorCode;

FoundPartition judge(Result<PartitionPtr> found) {
  FoundPartition answer;
  if (!found) {
    answer.error = kafka_error(found.error());
    if (!found.error().detail.empty()) answer.why = found.error().to_string();
  } else if ((*found)->closing()) {
    answer.error = Code::kUnknownTopicOrPartition;
  } else {
    answer.partition = std::move(*found);
  }
  return answer;
}

}  // namespace

FoundPartition find_partition(const PartitionTable& table, std::string_view topic, int32_t partition) {
  return judge(table.find(topic, partition));
}

FoundPartition find_partition(const PartitionTable& table, const ClusterImage& image, const TopicId& topic,
                              int32_t partition) {
  FoundPartition answer = judge(table.find(topic, partition));
  if (answer.error == Code::kUnknownTopicOrPartition && !image.topic(topic)) answer.error = Code::kUnknownTopicId;
  return answer;
}

Code check_leader_epoch(const Partition& partition, int32_t current_leader_epoch) {
  if (current_leader_epoch == -1 || current_leader_epoch == partition.leadership_epoch().value()) return Code::kNone;
  return current_leader_epoch < partition.leadership_epoch().value() ? Code::kFencedLeaderEpoch
                                                                     : Code::kUnknownLeaderEpoch;
}

}  // namespace farshore::broker
