#include "linker/link/tasks/group_sync.h"

#include <set>

#include "linker/link/tasks/group_round.h"

namespace farshore::linker {

GroupSync::GroupSync(LinkParts link, LinkStore& store)
    : PeriodicTask(link, "group-sync"), memory_(store, link.definition), turn_(link.env) {}

bool GroupSync::due() const {
  return link_.definition.spec().group_sync && link_.status.state() == LinkState::kActive &&
         !link_.topics.all().empty();
}

Task<Status> GroupSync::sync(Deadline deadline) {
  CO_TRY(auto guard, co_await turn_.lock(deadline));
  CO_TRY(auto source_groups, co_await link_.source.admin().groups(deadline));
  CO_TRY(auto target_groups, co_await link_.target.cluster().groups(deadline));
  link_.status.source_answered(link_.env.now());
  std::set<std::string> with_members;
  for (const auto& group : target_groups)
    if (group.has_members) with_members.insert(group.id);
  api::ListGroupSyncReply before = std::move(shown_);
  shown_ = api::ListGroupSyncReply();
  Status result;
  for (const auto& group : source_groups) {
    if (!selected(link_.definition.spec().groups, group.id)) continue;
    auto synced = co_await sync_group(group, with_members.count(group.id) != 0, deadline);
    if (!synced) result = synced;
  }
  if (!result) shown_ = std::move(before);
  co_return result;
}

Task<Status> GroupSync::sync_group(GroupInfo group, bool members_at_target, Deadline deadline) {
  ClusterAdmin& target = link_.target.cluster();
  GroupRound::Offsets offsets;
  CO_TRY(offsets.source, co_await link_.source.admin().group_offsets(group.id, deadline));
  CO_TRY(offsets.target, co_await target.group_offsets(group.id, deadline));
  CO_TRY(offsets.written, co_await memory_.read(group.id, deadline));
  GroupRound round(link_, group, members_at_target, std::move(offsets));
  CO_CHECK(co_await round.decide());
  if (round.shown().partitions_size() > 0) *shown_.add_groups() = round.shown();
  if (!round.to_commit().empty()) {
    CO_CHECK(co_await memory_.write(group.id, round.to_remember(), deadline));
    auto committed = co_await target.commit_group_offsets(group.id, round.to_commit(), deadline);
    // kConflict: a member joined the group at the target meanwhile; from now on its commits count.
    if (!committed && committed.error() == ErrorCode::kConflict) co_return ok();
    if (!committed) co_return committed;
  }
  if (!round.to_delete().empty()) {
    CO_CHECK(co_await target.delete_group_offsets(group.id, round.to_delete(), deadline));
    GroupMemory memory = memory_.known(group.id);
    for (const auto& where : round.to_delete()) memory.erase(where);
    CO_CHECK(co_await memory_.write(group.id, std::move(memory), deadline));
  }
  co_return ok();
}

}  // namespace farshore::linker
