// GroupMember: one librdkafka consumer in one group at one cluster, that knows how far it delivered each partition, and
// starts a partition there when it is assigned again. Not thread-safe; librdkafka's callbacks run inside poll() and
// close().
#pragma once

#include <librdkafka/rdkafka.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "offsets/client/api.h"

namespace farshore::client {

using PartitionKey = std::pair<std::string, int32_t>;  // topic, by its name at this cluster
using Positions = std::map<PartitionKey, int64_t>;     // the next offset to deliver

class GroupMember {
 public:
  struct Options {
    std::string bootstrap, group;
    std::vector<std::string> topics;
    std::map<std::string, std::string> properties;
    Positions delivered;  // by this process, before
  };
  struct FreeMessage {
    void operator()(rd_kafka_message_t* message) const { rd_kafka_message_destroy(message); }
  };
  using Message = std::unique_ptr<rd_kafka_message_t, FreeMessage>;

  // Null, and `problem` is set: kInvalid (a property), kFailed.
  static std::unique_ptr<GroupMember> open(Options options, Problem& problem);
  ~GroupMember();
  GroupMember(const GroupMember&) = delete;
  GroupMember& operator=(const GroupMember&) = delete;

  // Before this, commits are those of no member: a group that has members refuses them.
  Problem subscribe();
  // A record, whose position is counted as delivered; an error in its `err`; or null.
  Message poll(std::chrono::milliseconds timeout);
  // kUnavailable after `timeout`: it may or may not have been stored.
  Problem commit(const Positions& positions, std::chrono::milliseconds timeout);
  // Leaves the group (if `politely`, waiting at most 3 s for that) and ends. Positions stay readable.
  void close(bool politely);

  const Positions& positions() const { return positions_; }  // of all partitions that it ever had
  // Of those that it has now; one that was taken away because the cluster fell silent is still counted.
  Positions owned() const;

 private:
  explicit GroupMember(Options options);
  static void rebalance(rd_kafka_t* rk, rd_kafka_resp_err_t err, rd_kafka_topic_partition_list_t* list, void* self);
  void assigned(rd_kafka_topic_partition_list_t* list);
  void revoked(const rd_kafka_topic_partition_list_t* list);

  const Options options_;
  rd_kafka_t* rk_ = nullptr;
  Positions positions_;
  std::set<PartitionKey> owned_;
};

// Whether `properties` are ones that a user may give; kInvalid names the one that is not.
Problem check_properties(const std::map<std::string, std::string>& properties);

}  // namespace farshore::client
