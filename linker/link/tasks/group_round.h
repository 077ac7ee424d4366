// GroupRound: one consumer group in one round of group sync: decides for every mirrored partition by the rule in
// group_sync_rule.h, collects what is to be committed and deleted at the target, and what is shown of it. Reads only.
// Executor: the Env's. Owner: GroupSync.
#pragma once

#include <set>

#include "linker/link/model/link_parts.h"
#include "linker/link/tasks/group_sync_rule.h"
#include "proto/link/group_memory.h"

namespace farshore::linker {

class GroupRound {
 public:
  struct Offsets {
    GroupOffsets source, target;  // what both ends have committed
    GroupMemory written;          // what this link wrote
  };

  // `selected`: by the link's filters, and group sync is on.
  GroupRound(LinkParts link, GroupInfo group, bool selected, bool members_at_target, Offsets offsets);

  // Asks the target to translate offsets, which may fail: then nothing is to be written.
  Task<Status> decide();

  const GroupOffsets& to_commit() const { return to_commit_; }
  const std::vector<TopicPartition>& to_delete() const { return to_delete_; }
  // To be stored before to_commit() is committed.
  const GroupMemory& to_remember() const { return to_remember_; }
  // To be stored when to_commit() is committed and to_delete() is deleted: without rows that nothing needs any more,
  // because the source has no commit and what the target has is not the link's own, or because the topic was ended.
  GroupMemory to_keep() const;
  const api::GroupSync& shown() const { return shown_; }  // without partitions: nothing was decided

 private:
  Task<Status> decide_partition(const MirrorTopic& topic, int32_t partition);
  Task<Result<std::optional<GroupSyncInput>>> input_for(const MirrorTopic& topic, int32_t partition);
  std::set<TopicPartition> places() const;  // by their names at the target
  void forget_ended_topics();
  void apply(const TopicPartition& where, const GroupSyncInput& input, const GroupSyncDecision& decision);
  void show(const TopicPartition& where, const GroupSyncInput& input, const GroupSyncDecision& decision);

  LinkParts link_;
  const GroupInfo group_;
  const bool selected_, members_at_target_;
  const Offsets offsets_;
  GroupOffsets to_commit_;
  std::vector<TopicPartition> to_delete_, to_forget_;
  GroupMemory to_remember_;
  api::GroupSync shown_;
};

}  // namespace farshore::linker
