// GroupShard: the groups of one partition of __consumer_offsets. Committed state (offsets, members, assignments) is a
// fold of that partition, which CoordinatorRuntime keeps. What is never in the log (who waits in a rebalance, sessions)
// lives in each Group; the shard carries out a Group's effects and arms its timer.
// Executor: the broker's. Owner: GroupCoordinator. An idle shard has no coroutine and no timer.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/env.h"
#include "base/slab.h"
#include "broker/coordinator/runtime.h"
#include "broker/groups/group.h"
#include "broker/groups/group_metrics.h"
#include "broker/groups/group_offsets.h"
#include "broker/groups/group_options.h"
#include "broker/groups/reply.h"

namespace farshore::broker {

class GroupTable;
class OffsetStore;
struct LiveGroup;

class GroupShard final : private CoordinatorState {
 public:
  // `members_memory`: of the members of all shards.
  GroupShard(Env& env, SlabArena& arena, const GroupOptions& options, GroupMetrics& metrics,
             std::shared_ptr<Budget> members_memory, int32_t partition);
  ~GroupShard() override;

  // Loading, closing and status(): requests are made only while status() is kNone.
  CoordinatorRuntime& runtime() { return runtime_; }
  kafka::ErrorCode status() const { return runtime_.status(); }

  // Requests. A reply always comes: at the latest by the group's own time limits, or when the runtime closes or fails
  // (NOT_COORDINATOR).
  Reply<JoinAnswer> join(const std::string& group, JoinRequest request);
  Reply<SyncAnswer> sync(const std::string& group, SyncRequest request);
  kafka::ErrorCode heartbeat(const std::string& group, const MemberIdentity& member, int32_t generation);
  std::vector<kafka::ErrorCode> leave(const std::string& group, const std::vector<MemberIdentity>& members);

  struct Commit {
    std::string group;
    MemberIdentity member;
    int32_t generation = -1;  // -1, without member id: outside of group management
    std::vector<std::pair<TopicPartition, CommittedOffset>> offsets;
    // The answer to a commit with a generation if the group does not exist (GROUP_ID_NOT_FOUND from version 9 on).
    kafka::ErrorCode if_group_missing = kafka::ErrorCode::kIllegalGeneration;
  };
  // One code for all: written together or not at all. Completed once committed.
  Reply<kafka::ErrorCode> commit(Commit commit);

  // nullptr: no such group, or nothing committed.
  const GroupOffsets* offsets(const std::string& group) const;
  const Group* group(const std::string& group) const;
  std::vector<const Group*> groups() const;

  // Both decide when all commits before them are applied, so that no earlier commit survives them.
  Reply<kafka::ErrorCode> delete_group(const std::string& group);
  struct OffsetDelete {
    kafka::ErrorCode error = kafka::ErrorCode::kNone;
    std::map<TopicPartition, kafka::ErrorCode> partitions;
  };
  Reply<OffsetDelete> delete_offsets(const std::string& group, std::vector<TopicPartition> partitions);
  // Removes the offsets of a topic that was deleted; if the shard is not loaded yet, after the load.
  void forget_topic(const std::string& topic);
  // Removes offsets that have outlived offsets.retention.minutes, and groups that hold nothing any more.
  void expire_offsets();

 private:
  using LiveGroupPtr = std::shared_ptr<LiveGroup>;
  using Records = std::vector<CoordinatorRecord>;
  using Done = std::function<void(kafka::ErrorCode)>;

  void clear() override;
  Status replay(std::string_view key, std::optional<std::string_view> value) override;
  void loaded() override;
  void lost(kafka::ErrorCode error) override;

  GroupNow now() const;
  void carry_out(const LiveGroupPtr& live, GroupEffects effects);
  void expire(const LiveGroupPtr& live);  // its deadline has come
  void write(const Records& records, Done done);
  void write_later(std::function<Records()> build, Done done);  // `build` runs when everything before it is applied
  void replay_group(const GroupRecord& record);
  std::vector<TopicPartition> expired_offsets(const Group& group) const;
  void expire_group(const LiveGroupPtr& live);

  Env& env_;
  const GroupOptions& options_;
  GroupMetrics& metrics_;
  const std::shared_ptr<Budget> members_memory_;
  std::unique_ptr<GroupTable> groups_;
  std::unique_ptr<OffsetStore> offsets_;
  std::map<std::string, kafka::GroupMetadataValue> loaded_;  // while loading: the newest record of each group
  std::set<std::string> forgotten_topics_;                   // until loaded
  std::map<Ticket, Reply<JoinAnswer>> joins_;
  std::map<Ticket, Reply<SyncAnswer>> syncs_;
  Ticket last_ticket_ = 0;
  CoordinatorRuntime runtime_;
};

}  // namespace farshore::broker
