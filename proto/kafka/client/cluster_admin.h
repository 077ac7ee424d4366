// ClusterAdmin: reads and changes topics, topic configs and the committed offsets of consumer groups of one Kafka
// cluster, over a ClusterClient of its own. Executor: the Env's. Every call takes a deadline. Errors begin with the
// cluster's role ("source: ...") and name the broker's address.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/env.h"
#include "proto/kafka/client/cluster_client.h"

namespace farshore::kafka {

struct TopicInfo {
  std::string name;
  TopicId id;  // zero: the cluster is older than topic ids (KIP-516); then a topic made again cannot be recognised
  int32_t partitions = 0;
  bool internal = false;  // Kafka's own topics, and those in which gateways keep their state (__farshore_*)
};

struct GroupOffset {
  int64_t offset = -1;
  int32_t leader_epoch = -1;
};
using GroupOffsets = std::map<TopicPartition, GroupOffset>;

struct GroupInfo {
  std::string id;
  bool has_members = false;
};

class ClusterAdmin {
 public:
  // `role` is "source" or "target"; errors contain it. `env` and `connector` must outlive this object. If
  // `cluster_id` is empty, any cluster is accepted. `client`: how its connections present themselves.
  ClusterAdmin(Env& env, Connector& connector, std::string role, std::vector<Endpoint> bootstrap,
               std::string cluster_id, ClientOptions client = {});

  ClusterClient& client() { return client_; }
  const std::string& role() const { return role_; }
  void close() { client_.close(); }

  // All topics, sorted by name. kUnavailable, kTimedOut: no broker answers. kConflict: the addresses lead to a cluster
  // other than `cluster_id`.
  Task<Result<std::vector<TopicInfo>>> topics(Deadline deadline);
  using TopicConfigs = std::map<std::string, std::map<std::string, std::string>>;  // by topic, by key
  // For each topic that exists: the configs that are set on the topic itself, without defaults.
  Task<Result<TopicConfigs>> topic_configs(std::vector<std::string> topics, Deadline deadline);
  // The values that hold for it, whether they are set on the topic or are a default of its brokers.
  Task<Result<TopicConfigs>> effective_configs(std::vector<std::string> topics, Deadline deadline);
  struct SetAndEffective {
    TopicConfigs set, effective;
  };
  // Both, asked for once.
  Task<Result<SetAndEffective>> set_and_effective_configs(std::vector<std::string> topics, Deadline deadline);
  // Sets single configs of one topic (a value) or deletes them (nullopt).
  Task<Status> alter_topic_configs(std::string topic, std::map<std::string, std::optional<std::string>> changes,
                                   Deadline deadline);

  // Groups of the classic and of the consumer protocol, asked of every broker; sorted by id.
  Task<Result<std::vector<GroupInfo>>> groups(Deadline deadline);
  Task<Result<GroupOffsets>> group_offsets(std::string group, Deadline deadline);
  // Commits as a consumer without membership. The coordinator refuses the whole commit while the group has members
  // (kConflict: "has members").
  Task<Status> commit_group_offsets(std::string group, GroupOffsets offsets, Deadline deadline);
  Task<Status> delete_group_offsets(std::string group, std::vector<TopicPartition> partitions, Deadline deadline);

 private:
  // One request of set_and_effective_configs(), for the topics [from, to). `failed` ends what is not begun yet.
  Task<void> describe_configs(const std::vector<std::string>& topics, size_t from, size_t to, SetAndEffective& out,
                              Status& failed, Deadline deadline);
  Error here(Error error) const;
  std::string role_;
  ClusterClient client_;
};

}  // namespace farshore::kafka
