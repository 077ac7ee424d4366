// TopicCreator: creates topics for handlers, for auto-creation and for mirrors, and adds partitions to them. It checks
// the request, writes the topic to the metadata, and waits until the partitions of a new topic are open. Every
// partition of the cluster is made here, so its limits hold for all. The broker's own topics count, and are never
// refused for a limit of the cluster: without them no group works. Executor: the broker's. Owner: Broker. Durability: a
// topic that was created is durable.
#pragma once

#include <string>

#include "broker/metadata/metadata.h"
#include "broker/metadata/refusal.h"
#include "broker/partitions/partition_table.h"

namespace farshore::broker {

struct TopicLimits {
  int32_t topics_max = 0;                // max.topics
  int32_t partitions_per_topic_max = 0;  // max.partitions.per.topic
  int32_t partitions_max = 0;            // max.partitions, of all topics
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
  // What grow() would refuse. INVALID_PARTITIONS: `count` is not above the number of now, or above the limit of a
  // topic. POLICY_VIOLATION: the cluster would have too many.
  Refusal check_growth(const TopicImage& topic, int32_t count) const;

  struct Created {
    TopicPtr topic;   // set when `refusal` is not
    Refusal refusal;  // of check(), or Kafka's code for an error of MetadataManager::create_topic
  };
  // If the partitions are not open at `deadline`, the topic is created all the same; clients then find the partitions
  // LEADER_NOT_AVAILABLE for a while.
  Task<Created> create(NewTopic topic, Deadline deadline);
  // The topic has `count` partitions; the new ones open in the background.
  Task<Created> grow(TopicPtr topic, int32_t count, Deadline deadline);

 private:
  Refusal check_room(int64_t more) const;

  Env& env_;
  MetadataManager& metadata_;
  PartitionTable& partitions_;
  const TopicLimits limits_;
  int64_t under_way_ = 0;  // partitions that are being made, and that the metadata may not have yet
};

}  // namespace farshore::broker
