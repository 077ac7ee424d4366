// PartitionTopics: the InternalTopics of a broker, over its metadata and its partitions.
// Executor: the broker's. Owner: Broker; lives longer than the coordinators.
#pragma once

#include "broker/coordinator/internal_topics.h"
#include "broker/partitions/topic_creator.h"

namespace farshore::broker {

class PartitionTopics final : public InternalTopics {
 public:
  PartitionTopics(MetadataManager& metadata, PartitionTable& partitions, TopicCreator& creator)
      : metadata_(metadata), partitions_(partitions), creator_(creator) {}
  int32_t partition_count(const std::string& topic) const override;
  Task<Result<int32_t>> ensure_topic(InternalTopic topic, Deadline deadline) override;
  Task<Result<std::shared_ptr<CoordinatorLog>>> open(std::string topic, int32_t partition, Deadline deadline) override;

 private:
  MetadataManager& metadata_;
  PartitionTable& partitions_;
  TopicCreator& creator_;
};

}  // namespace farshore::broker
