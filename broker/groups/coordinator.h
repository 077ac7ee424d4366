// GroupCoordinator: finds the shard of a group, creates and loads __consumer_offsets, and starts the expiry of offsets.
// Executor: the broker's. Owner: Broker. Durability: an answer about committed state (offsets, assignments, deletions)
// comes after the log has committed it; with `durability=fsync` it is on disk.
//
// Errors that every request may give: COORDINATOR_LOAD_IN_PROGRESS (the shard is being read), NOT_COORDINATOR (its log
// is not here or has failed, or the topic does not exist yet: the client asks FindCoordinator, which makes it),
// INVALID_GROUP_ID (empty), COORDINATOR_NOT_AVAILABLE (not written in time, no space, closing). JoinGroup also:
// MESSAGE_TOO_LARGE (member_bytes_max, or no record could hold the member), COORDINATOR_NOT_AVAILABLE
// (members_bytes_max). SyncGroup also: MESSAGE_TOO_LARGE (the record of all members and their assignments).
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/budget.h"
#include "base/event.h"
#include "broker/coordinator/internal_topics.h"
#include "broker/groups/group_shard.h"

namespace farshore::broker {

class GroupCoordinator {
 public:
  GroupCoordinator(Env& env, SlabArena& arena, InternalTopics& topics, GroupOptions options);
  ~GroupCoordinator();

  // Begins to load what is there; does not wait for it.
  void start();
  // Answers all requests that wait (NOT_COORDINATOR), and ends the writes under way. Call it before the connections are
  // closed, because their requests wait here, and before the partitions are, because the writes need them.
  Task<void> stop();

  const GroupOptions& options() const { return options_; }
  // __consumer_offsets, as it is when it is created.
  InternalTopic topic() const;

  // FindCoordinator: kNone when this broker coordinates the group. Makes the topic if need be.
  Task<kafka::ErrorCode> find(std::string group);

  // Both may take as long as a rebalance. `gone` (may be null) is notified when nobody waits for the answer any more;
  // the member stays in the group until its session ends, as in Kafka.
  Task<JoinAnswer> join(std::string group, JoinRequest request, Notifier* gone);
  Task<SyncAnswer> sync(std::string group, SyncRequest request, Notifier* gone);
  kafka::ErrorCode heartbeat(const std::string& group, const MemberIdentity& member, int32_t generation);
  struct LeaveAnswer {
    kafka::ErrorCode error = kafka::ErrorCode::kNone;
    std::vector<kafka::ErrorCode> members;
  };
  LeaveAnswer leave(const std::string& group, const std::vector<MemberIdentity>& members);

  // A group id may be empty here, as in Kafka. REQUEST_TIMED_OUT never: an undecided commit is
  // COORDINATOR_NOT_AVAILABLE.
  Task<kafka::ErrorCode> commit(GroupShard::Commit commit);
  struct Fetched {
    kafka::ErrorCode error = kafka::ErrorCode::kNone;
    const GroupOffsets* offsets = nullptr;  // nullptr: nothing committed. Valid until the next co_await.
  };
  Fetched fetch(const std::string& group);

  Task<kafka::ErrorCode> delete_group(std::string group);
  Task<GroupShard::OffsetDelete> delete_offsets(std::string group, std::vector<TopicPartition> partitions);

  struct Listed {
    kafka::ErrorCode error = kafka::ErrorCode::kNone;
    std::vector<const Group*> groups;  // valid until the next co_await
  };
  Listed list();
  struct Described {
    kafka::ErrorCode error = kafka::ErrorCode::kNone;
    GroupDescription group;
  };
  Described describe(const std::string& group);  // GROUP_ID_NOT_FOUND

  // Removes the committed offsets of a deleted topic.
  void topic_deleted(const std::string& topic);

 private:
  struct Slot {
    std::unique_ptr<GroupShard> shard;
    bool loading = false;  // a task of ours is at it
    MonoTime retry_at = MonoTime::min();
  };
  struct Found {
    kafka::ErrorCode error = kafka::ErrorCode::kNone;
    GroupShard* shard = nullptr;
  };
  Found shard_of(const std::string& group);
  Slot& slot(int32_t partition);
  bool know_partitions();
  void begin_load(int32_t partition);
  void load_all();
  Task<void> load(int32_t partition);
  Task<void> sweep();
  std::string new_member_id(const std::string& prefix);
  // The memory of `request`, for as long as the member is one. `group`: the member's, or null.
  kafka::ErrorCode hold(const Group* group, JoinRequest& request);
  void count_groups();

  Env& env_;
  SlabArena& arena_;
  InternalTopics& topics_;
  const GroupOptions options_;
  GroupMetrics metrics_;
  const std::shared_ptr<Budget> members_memory_;
  int32_t partitions_ = 0;  // 0: the topic is not known to exist
  std::map<int32_t, Slot> slots_;
  std::shared_ptr<GroupCoordinator*> self_;  // for the metrics' refresher, which may outlive us
  Event stopping_;
  Gate gate_;
};

}  // namespace farshore::broker
