#include "broker/partitions/partition_lookup.h"

#include "broker/errors.h"
#include "broker/metadata/metadata.h"

namespace farshore::broker {
namespace {

using Code = kafka::ErrorCode;

FoundPartition judge(Result<PartitionPtr> found) {
  FoundPartition answer;
  if (!found)
    answer.error = kafka_error(found.error());
  else if ((*found)->closing())
    answer.error = Code::kUnknownTopicOrPartition;
  else
    answer.partition = std::move(*found);
  return answer;
}

}  // namespace

FoundPartition find_partition(const Services& services, std::string_view topic, int32_t partition) {
  return judge(services.partitions.find(topic, partition));
}

FoundPartition find_partition(const Services& services, const TopicId& topic, int32_t partition) {
  FoundPartition answer = judge(services.partitions.find(topic, partition));
  if (answer.error == Code::kUnknownTopicOrPartition && !services.metadata.image()->topic(topic))
    answer.error = Code::kUnknownTopicId;
  return answer;
}

Code check_leader_epoch(const Partition& partition, int32_t current_leader_epoch) {
  if (current_leader_epoch < 0 || current_leader_epoch == partition.leadership_epoch().value()) return Code::kNone;
  return current_leader_epoch < partition.leadership_epoch().value() ? Code::kFencedLeaderEpoch
                                                                     : Code::kUnknownLeaderEpoch;
}

}  // namespace farshore::broker
