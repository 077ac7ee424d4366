// TopicAdmin: making and growing topics of any Kafka cluster, and what must be known of a topic before it is relayed.
// On a ClusterAdmin's connections. Executor: the Env's. Deadlines are the caller's.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "linker/cluster_admin.h"

namespace farshore::linker {

class TopicAdmin {
 public:
  explicit TopicAdmin(ClusterAdmin& cluster) : cluster_(cluster) {}

  // As the cluster shows it now; nullopt: there is no such topic.
  Task<Result<std::optional<TopicInfo>>> find(std::string topic, Deadline deadline);
  // With the cluster's default replication factor. kAlreadyExists; kInvalidArgument: a config that it does not know, or
  // a value that it refuses; kResourceExhausted: against a policy of the cluster. `validate_only`: the cluster checks,
  // and makes nothing. Not there yet in find() for a moment afterwards.
  Task<Status> create(std::string topic, int32_t partitions, std::map<std::string, std::string> configs,
                      bool validate_only, Deadline deadline);
  Task<Status> grow(std::string topic, int32_t partitions, Deadline deadline);
  // No record is in it, and none ever was (every partition begins and ends at 0).
  Task<Result<bool>> never_written(std::string topic, int32_t partitions, Deadline deadline);
  // What holds for the topic, whether it is set there or is a default of the cluster.
  Task<Result<std::map<std::string, std::string>>> effective_configs(std::string topic, Deadline deadline);
  Task<Result<int64_t>> end_of(TopicPartition partition, Deadline deadline);

 private:
  ClusterAdmin& cluster_;
};

}  // namespace farshore::linker
