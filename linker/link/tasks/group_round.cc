#include "linker/link/tasks/group_round.h"

#include <algorithm>

#include "base/plant.h"

namespace farshore::linker {

GroupRound::GroupRound(LinkParts link, GroupInfo group, bool selected, bool members_at_target, Offsets offsets)
    : link_(link),
      group_(std::move(group)),
      selected_(selected),
      members_at_target_(members_at_target),
      offsets_(std::move(offsets)),
      to_remember_(offsets_.written) {
  shown_.set_group(group_.id);
}

// Only where the group has, or had, something: a link has many more partitions than a group reads.
std::set<TopicPartition> GroupRound::places() const {
  std::set<TopicPartition> places;
  for (const auto& entry : offsets_.source)
    places.insert({target_topic_name(link_.definition.spec(), entry.first.topic), entry.first.partition});
  for (const auto& entry : offsets_.target) places.insert(entry.first);
  for (const auto& entry : offsets_.written) places.insert(entry.first);
  return places;
}

Task<Status> GroupRound::decide() {
  const auto places = this->places();
  for (const auto& where : places) {
    const MirrorTopic* topic = link_.topics.find(where.topic);
    if (!topic || !topic->pumping() || where.partition < 0) continue;
    if (static_cast<size_t>(where.partition) >= topic->pumps().size()) continue;
    CO_CHECK(co_await decide_partition(*topic, where.partition));
  }
  forget_ended_topics();
  co_return ok();
}

void GroupRound::forget_ended_topics() {
  for (const auto& [where, written] : offsets_.written) {
    const MirrorTopic* topic = link_.topics.find(where.topic);
    if (!topic || topic->state() == MirrorState::kStopped) to_forget_.push_back(where);
  }
}

GroupMemory GroupRound::to_keep() const {
  GroupMemory keep = to_remember_;
  for (const auto& where : to_delete_) keep.erase(where);
  for (const auto& where : to_forget_) keep.erase(where);
  return keep;
}

Task<Result<std::optional<GroupSyncInput>>> GroupRound::input_for(const MirrorTopic& topic, int32_t partition) {
  const LinkPartition key = topic.pumps()[static_cast<size_t>(partition)];
  auto progress = link_.replicator.progress(key);
  // Until the target has said what it holds, the mirrored end is not known.
  if (!progress || progress->pump.phase != replicator::PumpPhase::kRunning) co_return std::optional<GroupSyncInput>();
  GroupSyncInput input;
  if (link_.definition.spec().mode == LinkMode::kMirror)
    input.target_end = TargetOffset(progress->pump.target_end.value());
  input.mirrored_end = progress->pump.target_high_watermark;
  input.members_at_target = members_at_target_;
  input.selected = selected_;
  if (auto commit = offsets_.source.find({topic.source_topic(), partition}); commit != offsets_.source.end()) {
    input.source_commit = SourceOffset(commit->second.offset);
    CO_TRY(input.translated,
           co_await link_.target.to_target(key, std::min(input.source_commit.value(), input.mirrored_end)));
  }
  const TopicPartition where{topic.name(), partition};
  if (auto there = offsets_.target.find(where); there != offsets_.target.end())
    input.target_commit = TargetOffset(there->second.offset);
  if (auto ours = offsets_.written.find(where); ours != offsets_.written.end()) {
    input.last_written = ours->second.offset;
    input.written_before = ours->second.before;
  }
  co_return input;
}

Task<Status> GroupRound::decide_partition(const MirrorTopic& topic, int32_t partition) {
  CO_TRY(auto input, co_await input_for(topic, partition));
  if (!input) co_return ok();
  const TopicPartition where{topic.name(), partition};
  if (!input->source_commit && !input->target_commit) {
    if (input->last_written) to_forget_.push_back(where);
    co_return ok();
  }
  const GroupSyncDecision decision = linker::decide(*input);
  // Nothing of the link's own is left there. Of a group that is synced, the row is still needed: a target that has lost
  // data can go back to it.
  const bool synced = selected_ && input->source_commit;
  if (!synced && !written_by_us(*input) && input->last_written) to_forget_.push_back(where);
  apply(where, *input, decision);
  show(where, *input, decision);
  co_return ok();
}

void GroupRound::apply(const TopicPartition& where, const GroupSyncInput& input, const GroupSyncDecision& decision) {
  if (decision.action == GroupSyncAction::kDelete) to_delete_.push_back(where);
  if (decision.action != GroupSyncAction::kCommit) return;
  const bool lowers = input.target_commit && *input.target_commit > *decision.value;
  if (lowers && planted(link_.env, Plant::kGroupNotLowered)) return;
  // Committed without a leader epoch: after a failback the target's epochs may differ from the source's.
  to_commit_[where] = GroupOffset{decision.value->value(), -1};
  to_remember_[where] = WrittenOffset{*decision.value, linker::to_remember(input, *decision.value)};
  if (lowers)
    link_.env.log().warn("a group's commit is lowered", {{"group", group_.id},
                                                         {"topic", where.topic},
                                                         {"partition", where.partition},
                                                         {"from", input.target_commit->value()},
                                                         {"to", decision.value->value()}});
}

void GroupRound::show(const TopicPartition& where, const GroupSyncInput& input, const GroupSyncDecision& decision) {
  auto& row = *shown_.add_partitions();
  row.set_topic(where.topic);
  row.set_partition(where.partition);
  row.set_source_committed(input.source_commit ? input.source_commit->value() : -1);
  row.set_target_committed(decision.action == GroupSyncAction::kCommit ? decision.value->value()
                           : input.target_commit                       ? input.target_commit->value()
                                                                       : -1);
  row.set_target_wanted(decision.value ? decision.value->value() : -1);
  row.set_clamped(decision.clamped);
  row.set_state(name(decision.state));
}

}  // namespace farshore::linker
