// TopicCreator: creates topics for handlers, for auto-creation and for mirrors. It checks the request, writes the topic
// to the metadata, and waits until the partitions of the topic are open.
// Executor: the broker's. Owner: Broker. Durability: a topic that was created is durable.
#pragma once

#include <string>

#include "broker/metadata/metadata.h"
#include "broker/metadata/refusal.h"
#include "broker/partitions/partition_table.h"

namespace farshore::broker {

struct TopicLimits {
  int32_t topics_max = 0;                // max.topics
  int32_t partitions_per_topic_max = 0;  // max.partitions.per.topic
  int32_t partitions_default = 1;        // num.partitions
};

class TopicCreator {
 public:
  TopicCreator(Env& env, MetadataManager& metadata, PartitionTable& partitions, TopicLimits limits)
      : env_(env), metadata_(metadata), partitions_(partitions), limits_(limits) {}

  const TopicLimits& limits() const { return limits_; }

  // What create() would refuse: name, existence, number of partitions and topics, configs. CreateTopics answers
  // `validate_only` with it.
  Refusal check(const NewTopic& topic) const;

  struct Created {
    TopicPtr topic;   // set when `refusal` is not
    Refusal refusal;  // of check(), or Kafka's code for an error of MetadataManager::create_topic
  };
  // If the partitions are not open at `deadline`, the topic is created all the same; clients then find the partitions
  // LEADER_NOT_AVAILABLE for a while.
  Task<Created> create(NewTopic topic, Deadline deadline);

 private:
  Env& env_;
  MetadataManager& metadata_;
  PartitionTable& partitions_;
  const TopicLimits limits_;
};

}  // namespace farshore::broker
