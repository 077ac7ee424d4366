// GroupMember: one librdkafka consumer in one group at one cluster. It decides itself where each partition starts:
// after everything that this process delivered and that the group committed. So it knows the position of each
// partition, also of one without records, and a failover can carry it.
//
//   group --assign--> Assignment --poll(): committed offsets, first offsets--> librdkafka --records--> poll()
//
// Threads: one at a time. Callbacks of librdkafka run inside poll() and close().
#pragma once

#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "offsets/client/consumer/internal/assignment.h"
#include "offsets/client/consumer/internal/member_properties.h"
#include "offsets/client/consumer/internal/pending_commit.h"

namespace farshore::client {

class GroupMember {
 public:
  struct Options {
    std::string where;  // "source" or "target", for messages
    std::string bootstrap, group;
    std::vector<std::string> topics;
    Properties properties;
    // The rest is set after a move.
    bool moved = false;
    std::string client_id;        // of this member; empty: that of the properties
    Positions delivered;          // up to here this process delivered: a partition never starts below
    Positions carried;            // what the application committed before the move, and the group may lack here
    std::set<PartitionKey> kept;  // the partitions that this process had before the move
  };

  // Null, and `problem` is set: kInvalid (a property), kFailed.
  static std::unique_ptr<GroupMember> open(Options options, Problem& problem);
  ~GroupMember();
  GroupMember(const GroupMember&) = delete;
  GroupMember& operator=(const GroupMember&) = delete;

  // Joins the group. A commit before this comes from a non-member: Kafka refuses it if the group has members.
  Problem subscribe();
  // A record, which then counts as delivered; an error, in `err`; or null after `timeout`. Looking up where partitions
  // start may take 2 s longer.
  KafkaMessage poll(std::chrono::milliseconds timeout);
  Problem problem_of(const rd_kafka_message_t& message) const;  // of an error that poll() returned
  // What librdkafka or a start has complained about since the last call.
  std::optional<Problem> complaint();

  // Commits the positions of all partitions that are read. `problem` is set if nothing was sent: kUnavailable.
  PendingCommit commit(Problem& problem);
  // Commits those of `carried` that are above what the group has committed here, and forgets them. As a member: only of
  // the partitions that are read. It never lowers a commit. At most `timeout`.
  Problem commit_carried(std::chrono::milliseconds timeout);
  bool carries() const { return !carried_.empty(); }

  // Ends the consumer. If `politely`, it leaves the group first, which takes at most 3 s. What it knows stays readable.
  void close(bool politely);

  const Positions& positions() const { return positions_; }  // the next offset to deliver, of all partitions ever read
  // What the application committed, or the group had committed when a partition was given to this member. A partition
  // that began at its end (auto.offset.reset=latest) counts as committed there: nothing before it was wanted.
  const Positions& committed() const { return committed_; }
  const std::set<PartitionKey>& owned() const { return assignment_.owned(); }
  std::string member_id() const;  // as the group's coordinator named it; empty: not known

 private:
  explicit GroupMember(Options options);
  static void on_rebalance(rd_kafka_t* rk, rd_kafka_resp_err_t err, rd_kafka_topic_partition_list_t* list, void* self);
  static void on_error(rd_kafka_t* rk, int err, const char* reason, void* self);
  void start_partitions();
  Positions first_offsets(const std::vector<PartitionKey>& keys, std::chrono::milliseconds until);
  std::optional<int64_t> first_offset_of(const PartitionKey& key, std::chrono::milliseconds timeout);
  void complain(Problem problem);
  void raise_committed(const PartitionKey& key, int64_t offset);

  const Options options_;
  const FirstOffset first_;
  KafkaHandle rk_;
  Assignment assignment_;
  Positions positions_, committed_, carried_;
  bool subscribed_ = false;
  std::chrono::milliseconds start_again_at_{0};
  size_t first_alone_ = 0;  // the partition that is asked for next, if they are asked for one by one
  std::deque<Problem> complaints_;
};

}  // namespace farshore::client
