// GroupMember: one librdkafka consumer in one group at one cluster. It remembers the position that it delivered of each
// partition, and starts there if the partition is assigned again.
// Threads: one. Callbacks of librdkafka run inside poll() and close().
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

using PartitionKey = std::pair<std::string, int32_t>;  // topic (its name at this cluster), partition
using Positions = std::map<PartitionKey, int64_t>;     // the next offset to deliver

class GroupMember {
 public:
  struct Options {
    std::string bootstrap, group;
    std::vector<std::string> topics;
    std::map<std::string, std::string> properties;
    Positions delivered;  // delivered before by this process
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

  // Joins the group. A commit before this comes from a non-member: Kafka refuses it if the group has members.
  Problem subscribe();
  // A record, which then counts as delivered; an error, in `err`; or null after `timeout`.
  Message poll(std::chrono::milliseconds timeout);
  // kUnavailable: no answer within `timeout`; the commit may have been stored.
  Problem commit(const Positions& positions, std::chrono::milliseconds timeout);
  // Ends the consumer. If `politely`, it leaves the group first, which takes at most 3 s. Positions stay readable.
  void close(bool politely);

  const Positions& positions() const { return positions_; }  // of all partitions that were ever assigned
  // Of the partitions that are assigned now. A partition that was lost because the cluster did not answer still counts.
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

// kInvalid: names the first property that is unknown, or that the application must not set.
Problem check_properties(const std::map<std::string, std::string>& properties);

}  // namespace farshore::client
