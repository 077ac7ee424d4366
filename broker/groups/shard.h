// The groups of one partition of __consumer_offsets. State is a fold of the partition: a change is appended, committed,
// applied, and only then acknowledged; one batch is under way at a time, and what arrives meanwhile goes into the next.
// So the order of validation is the order of the log, and memory never claims what the log does not have.
//
// What never reaches the log (who waits in a rebalance, sessions) lives in each Group.
// Executor: the broker's. Owner: GroupCoordinator. An idle shard has no coroutine and no timer.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/env.h"
#include "base/gate.h"
#include "base/slab.h"
#include "broker/groups/group.h"
#include "broker/groups/group_options.h"
#include "broker/groups/internal_topics.h"
#include "broker/groups/offsets.h"
#include "broker/groups/reply.h"

namespace farshore::broker {

class GroupShard {
 public:
  GroupShard(Env& env, SlabArena& arena, const GroupOptions& options, GroupMetrics& metrics, int32_t partition);
  ~GroupShard();

  // Folds the whole log; requests get COORDINATOR_LOAD_IN_PROGRESS until then. An error leaves the shard failed: its
  // requests get NOT_COORDINATOR, and load() may be called again.
  Task<Status> load(std::shared_ptr<CoordinatorLog> log);
  // Everybody who waits gets NOT_COORDINATOR; waits for the write under way.
  Task<void> close();

  kafka::ErrorCode status() const;  // kNone: serves
  bool may_load() const { return (state_ == State::kNew || state_ == State::kFailed) && !writing_; }
  bool loaded() const { return state_ != State::kNew && state_ != State::kLoading; }  // or failed
  void give_up(const Error& error);                                                   // its log cannot be opened
  int32_t partition() const { return partition_; }

  // Requests. Only while status() is kNone. A reply always comes: at the latest by the group's own time limits,
  // or by close().
  Reply<JoinAnswer> join(const std::string& group, JoinRequest request);
  Reply<SyncAnswer> sync(const std::string& group, SyncRequest request);
  kafka::ErrorCode heartbeat(const std::string& group, const MemberIdentity& member, int32_t generation);
  std::vector<kafka::ErrorCode> leave(const std::string& group, const std::vector<MemberIdentity>& members);

  struct Commit {
    std::string group;
    MemberIdentity member;
    int32_t generation = -1;  // -1, without member id: outside of group management
    std::vector<std::pair<TopicPartition, CommittedOffset>> offsets;
    // What a group that does not exist answers to a commit with a generation (GROUP_ID_NOT_FOUND from version 9 on).
    kafka::ErrorCode if_group_missing = kafka::ErrorCode::kIllegalGeneration;
  };
  // One code for all: written together or not at all. Completed once committed.
  Reply<kafka::ErrorCode> commit(Commit commit);

  // nullptr: no such group, or nothing committed.
  const GroupOffsets* offsets(const std::string& group) const;
  const Group* group(const std::string& group) const;
  std::vector<const Group*> groups() const;

  // Both wait for the commits before them, so that nothing committed earlier survives.
  Reply<kafka::ErrorCode> delete_group(const std::string& group);
  struct OffsetDelete {
    kafka::ErrorCode error = kafka::ErrorCode::kNone;
    std::map<TopicPartition, kafka::ErrorCode> partitions;
  };
  Reply<OffsetDelete> delete_offsets(const std::string& group, std::vector<TopicPartition> partitions);
  void forget_topic(const std::string& topic);  // it was deleted; if not loaded yet, afterwards
  // Removes offsets that have outlived offsets.retention.minutes, and groups that hold nothing any more.
  void expire_offsets();

 private:
  enum class State : uint8_t { kNew, kLoading, kActive, kFailed, kClosed };
  struct Entry {
    explicit Entry(Group g) : group(std::move(g)) {}
    Group group;
    TimerId timer = 0;
    MonoTime timer_at = MonoTime::max();
  };
  using EntryPtr = std::shared_ptr<Entry>;
  using Records = std::vector<CoordinatorRecord>;
  // One change. Exactly one of `records` and `build` is used; `build` runs when everything before it is applied, and
  // its records may be spread over several batches.
  struct Operation {
    Records records;
    std::function<Records()> build;
    std::function<void(kafka::ErrorCode)> done;  // after it is applied, or has failed
    size_t bytes = 0;
    std::vector<EncodedRecord> encoded;
  };

  EntryPtr entry(const std::string& group) const;
  EntryPtr make_entry(const std::string& group);
  void erase_entry(const std::string& group);
  GroupNow now() const;
  void carry_out(const EntryPtr& entry, GroupEffects effects);
  void arm(const EntryPtr& entry);
  void on_timer(const EntryPtr& entry);

  void enqueue(Operation operation);
  static kafka::ErrorCode encode(Operation& operation, size_t batch_bytes_max);
  Task<void> write_loop();
  Task<kafka::ErrorCode> write_plain();
  Task<kafka::ErrorCode> write_built();
  Task<kafka::ErrorCode> append(const std::vector<EncodedRecord>& records, size_t begin, size_t end);
  void apply(const CoordinatorRecord& record);
  void fail(const Error& error);
  void drop_queue(kafka::ErrorCode error);
  void end_groups(kafka::ErrorCode error);
  Task<Status> fold(CoordinatorLog& log);
  Status fold_run(const BatchRun& run, Offset from);
  void finish_load();
  Records tombstones(const std::string& group, const std::vector<TopicPartition>& partitions) const;
  void expire_group(const EntryPtr& entry);

  Env& env_;
  SlabArena& arena_;
  const GroupOptions& options_;
  GroupMetrics& metrics_;
  const int32_t partition_;
  State state_ = State::kNew;
  std::shared_ptr<CoordinatorLog> log_;
  std::map<std::string, EntryPtr> groups_;
  std::map<std::string, GroupOffsets> offsets_;
  std::map<std::string, kafka::GroupMetadataValue> loaded_;  // while loading: the newest record of each group
  std::set<std::string> forgotten_topics_;                   // while loading
  std::map<Ticket, Reply<JoinAnswer>> joins_;
  std::map<Ticket, Reply<SyncAnswer>> syncs_;
  Ticket last_ticket_ = 0;
  std::deque<Operation> queue_;
  bool writing_ = false;
  Gate gate_;
};

}  // namespace farshore::broker
