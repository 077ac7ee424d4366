// What the group coordinator needs of the broker: its internal topics and their logs (groups/internal_topics.h).
// Executor: the broker's. Owner: Broker; lives longer than the coordinator.
#pragma once

#include "broker/groups/internal_topics.h"
#include "broker/services.h"

namespace farshore::broker {

class CoordinatorTopics final : public InternalTopics {
 public:
  explicit CoordinatorTopics(Services& services) : services_(services) {}
  int32_t partition_count(const std::string& topic) const override;
  Task<Result<int32_t>> ensure_topic(std::string topic, int32_t partitions, std::map<std::string, std::string> configs,
                                     Deadline deadline) override;
  Task<Result<std::shared_ptr<CoordinatorLog>>> open(std::string topic, int32_t partition, Deadline deadline) override;

 private:
  Services& services_;
};

}  // namespace farshore::broker
