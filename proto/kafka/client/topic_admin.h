// TopicAdmin: creates and grows topics of a Kafka cluster, and reads the facts that decide whether a topic can be
// relayed. Uses the connections of a ClusterAdmin. Executor: the Env's.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "proto/kafka/client/cluster_admin.h"

namespace farshore::kafka {

class TopicAdmin {
 public:
  explicit TopicAdmin(ClusterAdmin& cluster) : cluster_(cluster) {}

  // As the cluster shows it now; nullopt: the topic does not exist.
  Task<Result<std::optional<TopicInfo>>> find(std::string topic, Deadline deadline);
  // Uses the cluster's default replication factor. find() may not show a new topic for a moment. `validate_only`: the
  // cluster checks the request and creates nothing. kAlreadyExists; kInvalidArgument: the cluster does not know a
  // config or refuses its value; kResourceExhausted: a policy of the cluster forbids the topic.
  Task<Status> create(std::string topic, int32_t partitions, std::map<std::string, std::string> configs,
                      bool validate_only, Deadline deadline);
  Task<Status> grow(std::string topic, int32_t partitions, Deadline deadline);
  // True if no record was ever written to the topic: every partition ends at offset 0.
  Task<Result<bool>> never_written(std::string topic, int32_t partitions, Deadline deadline);
  // All configs that apply to the topic, whether set on the topic or defaults of the cluster.
  Task<Result<std::map<std::string, std::string>>> effective_configs(std::string topic, Deadline deadline);
  // The high watermark.
  Task<Result<int64_t>> end_of(TopicPartition partition, Deadline deadline);

 private:
  ClusterAdmin& cluster_;
};

}  // namespace farshore::kafka
