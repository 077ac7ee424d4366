// Consumer group offsets of one link: what the rule (group_sync_rule.h) decides, for every group and partition.
#include <set>

#include "linker/link/link_controller.h"

namespace farshore::linker {
namespace {
constexpr Duration kRoundLimit = seconds(20);
}

Task<void> LinkController::group_loop() {
  while (!stopping_.is_set()) {
    if (link_.spec.group_sync && state_ == LinkState::kActive && !mirrors_.empty())
      ran(groups_, co_await sync_groups(env_.in(kRoundLimit)));
    (void)co_await stopping_.wait(env_.in(milliseconds(link_.spec.group_sync_interval_ms)));
  }
}

Task<Status> LinkController::sync_groups(Deadline deadline) {
  CO_TRY(auto guard, co_await syncing_.lock(deadline));  // a promote asks for a round of its own
  CO_TRY(auto source_groups, co_await source_.groups(deadline));
  CO_TRY(auto target_groups, co_await target_->cluster().groups(deadline));
  last_source_contact_ = env_.now();
  std::set<std::string> members;
  for (const auto& group : target_groups)
    if (group.has_members) members.insert(group.id);
  api::ListGroupSyncReply before = std::move(group_sync_);
  group_sync_ = api::ListGroupSyncReply();
  Status result;
  for (const auto& group : source_groups) {
    if (!selected(link_.spec.groups, group.id)) continue;
    auto synced = co_await sync_group(group, members.count(group.id) != 0, deadline);
    if (!synced) result = synced;
  }
  if (!result) group_sync_ = std::move(before);
  co_return result;
}

Task<Status> LinkController::sync_group(GroupInfo group, bool members_at_target, Deadline deadline) {
  CO_TRY(auto source, co_await source_.group_offsets(group.id, deadline));
  CO_TRY(auto target, co_await target_->cluster().group_offsets(group.id, deadline));
  auto& written = last_written_[group.id];
  if (written.empty()) {
    // What an earlier gateway wrote for this link is remembered at the target.
    const std::string key = group_memory_key(link_.spec.name, group.id);
    CO_TRY(auto stored, co_await store_.list(key, deadline));
    for (const auto& entry : stored) {
      if (entry.key != key) continue;
      last_written_revision_[group.id] = entry.revision;
      written = decode_group_memory(entry.value);
    }
  }
  GroupMemory remembered = written;
  GroupOffsets to_commit;
  std::vector<TopicPartition> to_delete;
  api::GroupSync shown;
  shown.set_group(group.id);
  for (auto& [name, mirror] : mirrors_) {
    if (!pumps(mirror.state)) continue;
    for (size_t p = 0; p < mirror.pumps.size(); ++p) {
      const TopicPartition here{name, static_cast<int32_t>(p)};
      const auto commit = source.find({mirror.source_topic, static_cast<int32_t>(p)});
      const auto there = target.find(here);
      GroupSyncInput input;
      auto progress = replicator_.progress(mirror.pumps[p]);
      // Before the target has said what it has (again), nothing is known to be mirrored, and 0 would be a lie.
      if (!progress || progress->pump.phase != replicator::PumpPhase::kRunning) continue;
      if (link_.spec.mode == LinkMode::kMirror) input.target_end = TargetOffset(progress->pump.target_end.value());
      input.mirrored_end = progress->pump.target_high_watermark;
      if (commit != source.end()) {
        input.source_commit = SourceOffset(commit->second.offset);
        CO_TRY(input.translated,
               co_await target_->to_target(mirror.pumps[p], std::min(input.source_commit.value(), input.mirrored_end)));
      }
      if (there != target.end()) input.target_commit = TargetOffset(there->second.offset);
      if (auto w = written.find(here); w != written.end()) {
        input.last_written = w->second.offset;
        input.written_before = w->second.before;
      }
      input.members_at_target = members_at_target;
      if (!input.source_commit && !input.target_commit) continue;
      const GroupSyncDecision decision = decide(input);
      // The commit carries no epoch: the target's own lineage may differ after a failback.
      if (decision.action == GroupSyncAction::kCommit) {
        to_commit[here] = GroupOffset{decision.value->value(), -1};
        remembered[here] = WrittenOffset{*decision.value, to_remember(input, *decision.value)};
        if (input.target_commit && *input.target_commit > *decision.value)
          env_.log().warn("a group's commit is lowered", {{"group", group.id},
                                                          {"topic", name},
                                                          {"partition", here.partition},
                                                          {"from", input.target_commit->value()},
                                                          {"to", decision.value->value()}});
      }
      if (decision.action == GroupSyncAction::kDelete) to_delete.push_back(here);
      auto& row = *shown.add_partitions();
      row.set_topic(name);
      row.set_partition(here.partition);
      row.set_source_committed(input.source_commit ? input.source_commit->value() : -1);
      row.set_target_committed(decision.action == GroupSyncAction::kCommit ? decision.value->value()
                               : input.target_commit                       ? input.target_commit->value()
                                                                           : -1);
      row.set_target_wanted(decision.value ? decision.value->value() : -1);
      row.set_clamped(decision.clamped);
      row.set_state(linker::name(decision.state));
    }
  }
  if (shown.partitions_size() > 0) *group_sync_.add_groups() = std::move(shown);
  if (to_commit.empty() && to_delete.empty()) co_return ok();
  if (!to_commit.empty()) {
    CO_CHECK(co_await remember(group.id, std::move(remembered), deadline));
    auto committed = co_await target_->cluster().commit_group_offsets(group.id, to_commit, deadline);
    if (!committed) {
      if (committed.error() == ErrorCode::kConflict) co_return ok();  // members joined meanwhile: theirs is the word
      co_return committed;
    }
  }
  if (!to_delete.empty()) {
    CO_CHECK(co_await target_->cluster().delete_group_offsets(group.id, to_delete, deadline));
    remembered = last_written_[group.id];
    for (const auto& where : to_delete) remembered.erase(where);
    CO_CHECK(co_await remember(group.id, std::move(remembered), deadline));
  }
  co_return ok();
}

Task<Status> LinkController::remember(std::string group, GroupMemory memory, Deadline deadline) {
  StoredEntry entry;
  entry.key = group_memory_key(link_.spec.name, group);
  entry.value = encode(memory);
  entry.revision = last_written_revision_[group];
  auto stored = co_await store_.replace(std::move(entry), deadline);
  if (!stored) {  // what is stored is read anew: the write may be there
    last_written_.erase(group);
    last_written_revision_.erase(group);
    co_return stored.error();
  }
  last_written_[group] = std::move(memory);
  last_written_revision_[group] = *stored;
  co_return ok();
}

}  // namespace farshore::linker
