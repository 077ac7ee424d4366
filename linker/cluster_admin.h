// What a link asks of either end, in the linker's words: who is there, its topics and their configs, its consumer
// groups and their offsets. On a kafka::ClusterClient, so either end may be Farshore or Apache Kafka. Executor: the
// Env's. Every call has a deadline; errors name the cluster's role and the address.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/env.h"
#include "proto/kafka/client/cluster_client.h"

namespace farshore::linker {

struct ClusterIdentity {
  std::string cluster_id;
  bool farshore = false;    // has the private APIs
  std::string incarnation;  // of its metadata: new after it was wiped; empty: the cluster does not say (Apache Kafka)
};

class ClusterAdmin;
// Both ends give producer ids, and a mirror keeps the source's: with equal salts a promoted topic could take a new
// producer's records for retries of an old one's, and drop them. kConflict: they are equal (says the remedy). ok also
// where the source is no Farshore cluster: Apache Kafka's ids have no salt.
Task<Status> refuse_equal_salts(ClusterAdmin& source, ClusterAdmin& target, Deadline deadline);

struct TopicInfo {
  std::string name;
  TopicId id;  // zero: the cluster is too old to have topic ids, and re-creation cannot be noticed
  int32_t partitions = 0;
  bool internal = false;  // Kafka's own, or what gateways keep there
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
  // `role` is "source" or "target", for errors. `env` and `connector` must outlive it. `cluster_id` empty: any.
  ClusterAdmin(Env& env, Connector& connector, std::string role, std::vector<Endpoint> bootstrap,
               std::string cluster_id);

  kafka::ClusterClient& client() { return client_; }
  void close() { client_.close(); }

  // kUnavailable / kTimedOut: nobody answers. kConflict: another cluster than `cluster_id` is at the address.
  Task<Result<ClusterIdentity>> identify(Deadline deadline);
  // Of the ids that this cluster gives to producers; 0: none (no Farshore cluster).
  Task<Result<int64_t>> producer_id_salt(Deadline deadline);
  Task<Result<std::vector<TopicInfo>>> topics(Deadline deadline);  // sorted by name
  // Of each topic that exists: the configs that are set on the topic itself, not defaults.
  Task<Result<std::map<std::string, std::map<std::string, std::string>>>> topic_configs(std::vector<std::string> topics,
                                                                                        Deadline deadline);
  // Sets (a value) and deletes (nullopt) single keys of one topic.
  Task<Status> alter_topic_configs(std::string topic, std::map<std::string, std::optional<std::string>> changes,
                                   Deadline deadline);

  // Groups of the classic and the consumer protocol, from every broker; sorted.
  Task<Result<std::vector<GroupInfo>>> groups(Deadline deadline);
  Task<Result<GroupOffsets>> group_offsets(std::string group, Deadline deadline);
  // As a consumer without membership: the coordinator refuses it atomically while the group has members
  // (kConflict: "has members").
  Task<Status> commit_group_offsets(std::string group, GroupOffsets offsets, Deadline deadline);
  Task<Status> delete_group_offsets(std::string group, std::vector<TopicPartition> partitions, Deadline deadline);

 private:
  Error here(Error error) const;
  Env& env_;
  std::string role_;
  kafka::ClusterClient client_;
};

}  // namespace farshore::linker
