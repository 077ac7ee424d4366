#include "linker/link/tasks/group_sync.h"

#include <algorithm>
#include <set>

#include "base/gate.h"
#include "linker/link/tasks/group_round.h"

namespace farshore::linker {

GroupSync::GroupSync(LinkParts link, LinkStore& store)
    : PeriodicTask(link, "group-sync"), memory_(store, link.definition), turn_(link.env) {}

namespace {

bool group_is_synced(const LinkSpec& spec, const std::string& group) {
  return spec.group_sync && selected(spec.groups, group);
}

}  // namespace

bool GroupSync::due() const {
  const bool has_groups = link_.definition.spec().group_sync || memory_.may_have_groups();
  return has_groups && link_.status.state() == LinkState::kActive && !link_.topics.all().empty();
}

Duration GroupSync::interval() const {
  const LinkSpec& spec = link_.definition.spec();
  const Duration wanted = milliseconds(spec.group_sync_interval_ms);
  return spec.group_sync ? wanted : std::max<Duration>(wanted, kUnselectedInterval);
}

std::string GroupSync::named(const std::vector<std::string>& groups) {
  std::string text;
  for (size_t i = 0; i < groups.size() && i < kNamedGroupsMax; ++i) text += (i == 0 ? "" : ", ") + groups[i];
  return groups.size() > kNamedGroupsMax ? text + ", ..." : text;
}

std::string GroupSync::NotCarried::to_string() const {
  if (groups.empty()) return std::string();
  return std::to_string(groups.size()) + (groups.size() == 1 ? " group was" : " groups were") +
         " not carried over and may read records again at the target (" + named(groups) + "): " + why;
}

std::vector<std::string> GroupSync::notes_on(const LinkSpec& spec) const {
  std::vector<std::string> left;
  for (auto& group : memory_.groups())
    if (!group_is_synced(spec, group)) left.push_back(std::move(group));
  if (left.empty()) return {};
  return {std::to_string(left.size()) + (left.size() == 1 ? " group" : " groups") +
          " for which the link has committed (" + named(left) +
          ") will not be synced any more: the last commits stay at the target (NOT_SELECTED), and leave it when the "
          "source deletes the group"};
}

api::ListGroupSyncReply GroupSync::shown() const {
  api::ListGroupSyncReply reply;
  for (const auto& entry : shown_) *reply.add_groups() = entry.second;
  return reply;
}

Task<Status> GroupSync::round(Deadline deadline) {
  CO_TRY(auto guard, co_await turn_.lock(deadline));
  CO_TRY(const NotCarried left, co_await run_round(/*for_promotion=*/false, deadline));
  if (left.groups.empty()) co_return ok();
  co_return Error(ErrorCode::kUnavailable, "groups " + named(left.groups) + ": " + left.why);
}

Task<Result<GroupSync::NotCarried>> GroupSync::sync(Deadline deadline) {
  const uint64_t begun_before = rounds_begun_;
  ++promotions_waiting_;
  auto guard = co_await turn_.lock(deadline);
  --promotions_waiting_;
  if (!guard) co_return std::move(guard).error();
  // Of another promotion that waited, too.
  if (last_whole_round_ > begun_before) co_return left_by_last_whole_round_;
  co_return co_await run_round(/*for_promotion=*/true, deadline);
}

Task<Result<GroupSync::NotCarried>> GroupSync::run_round(bool for_promotion, Deadline deadline) {
  const uint64_t number = ++rounds_begun_;
  CO_CHECK(co_await link_.ownership.check(deadline));
  CO_CHECK(co_await memory_.load(deadline));
  Round round;
  round.for_promotion = for_promotion;
  round.deadline = deadline;
  CO_TRY(round.visits, co_await visits(for_promotion, deadline));
  {
    Gate workers(link_.env);
    for (int i = 0; i < kGroupsAtOnce; ++i) spawn(workers, "group sync", work(round));
    co_await workers.close();
  }
  if (round.next < round.visits.size()) {
    go_on_at_ = round.visits[round.next].group.id;
    if (for_promotion && round.result)
      co_return Error(ErrorCode::kTimedOut, std::to_string(round.visits.size() - round.next) + " of " +
                                                std::to_string(round.visits.size()) + " groups were not visited");
    if (!round.result) co_return round.result.error();
    co_return std::move(round.failed);
  }
  go_on_at_.clear();
  if (!round.result) co_return round.result.error();
  last_whole_round_ = number;
  left_by_last_whole_round_ = round.failed;
  std::set<std::string> visited;
  for (const Visit& visit : round.visits) visited.insert(visit.group.id);
  for (auto& group : memory_.groups()) visited.insert(std::move(group));  // not selected: visited now and then
  std::erase_if(shown_, [&](const auto& entry) { return visited.count(entry.first) == 0; });
  co_return std::move(round.failed);
}

Task<Result<std::vector<GroupSync::Visit>>> GroupSync::visits(bool for_promotion, Deadline deadline) {
  CO_TRY(auto source_groups, co_await link_.source.admin().groups(deadline));
  CO_TRY(auto target_groups, co_await link_.target.cluster().groups(deadline));
  link_.status.source_answered(link_.env.now());
  std::map<std::string, GroupInfo> groups;
  for (auto& group : source_groups) groups[group.id] = std::move(group);
  const std::vector<std::string> remembered = memory_.groups();
  for (const auto& group : remembered) groups.try_emplace(group, GroupInfo{group, false});
  std::set<std::string> unselected;  // to be visited
  const MonoTime now = link_.env.now();
  if (!for_promotion && (unselected_visited_ == MonoTime() || now - unselected_visited_ >= kUnselectedInterval)) {
    unselected_visited_ = now;
    unselected.insert(remembered.begin(), remembered.end());
  }
  std::set<std::string> with_members;
  for (const auto& group : target_groups)
    if (group.has_members) with_members.insert(group.id);
  std::vector<Visit> visits;
  for (auto& [id, group] : groups) {
    const bool synced = group_is_synced(link_.definition.spec(), id);
    if (synced || unselected.count(id) > 0) visits.push_back({std::move(group), synced, with_members.count(id) > 0});
  }
  auto first = std::find_if(visits.begin(), visits.end(), [&](const Visit& v) { return v.group.id >= go_on_at_; });
  std::rotate(visits.begin(), first, visits.end());
  co_return visits;
}

bool GroupSync::ends_early(const Round& round) const {
  return link_.stopping.is_set() || round.deadline.passed(link_.env.now()) ||
         (promotions_waiting_ > 0 && !round.for_promotion);
}

Task<void> GroupSync::work(Round& round) {
  while (round.next < round.visits.size() && !ends_early(round)) {
    Visit visit = round.visits[round.next++];
    const std::string group = visit.group.id;
    auto synced = co_await sync_group(std::move(visit), std::min(round.deadline, link_.env.in(kGroupLimit)));
    if (synced) continue;
    // These are about the link, and not about the group.
    if (synced.error() == ErrorCode::kFenced || synced.error() == ErrorCode::kClosed) {
      round.result = std::move(synced);
      continue;
    }
    round.failed.why = synced.error().to_string();
    round.failed.groups.push_back(group);
  }
}

Task<Status> GroupSync::sync_group(Visit visit, Deadline deadline) {
  const std::string id = visit.group.id;
  GroupRound::Offsets offsets;
  CO_TRY(offsets.source, co_await link_.source.admin().group_offsets(id, deadline));
  CO_TRY(offsets.target, co_await link_.target.cluster().group_offsets(id, deadline));
  CO_TRY(offsets.written, co_await memory_.read(id, deadline));
  GroupMemory stored = offsets.written;
  GroupRound round(link_, visit.group, visit.selected, visit.members_at_target, std::move(offsets));
  CO_CHECK(co_await round.decide());
  if (round.shown().partitions_size() > 0)
    shown_[id] = round.shown();
  else
    shown_.erase(id);
  if (!round.to_commit().empty()) {
    stored = round.to_remember();
    CO_CHECK(co_await memory_.write(id, stored, deadline));
    CO_CHECK(co_await commit(id, round.to_commit(), deadline));
  }
  if (!round.to_delete().empty()) {
    CO_CHECK(co_await check_source(deadline));
    CO_CHECK(co_await link_.target.cluster().delete_group_offsets(id, round.to_delete(), deadline));
  }
  GroupMemory keep = round.to_keep();
  if (keep != stored) CO_CHECK(co_await memory_.write(id, std::move(keep), deadline));
  co_return ok();
}

Task<Status> GroupSync::commit(std::string group, GroupOffsets offsets, Deadline deadline) {
  auto committed = co_await link_.target.cluster().commit_group_offsets(group, std::move(offsets), deadline);
  // kConflict: a member joined the group at the target meanwhile; from now on its commits count.
  if (!committed && committed.error() == ErrorCode::kConflict) co_return ok();
  co_return committed;
}

Task<Status> GroupSync::check_source(Deadline deadline) {
  CO_TRY(auto source, co_await identify(link_.source.admin(), deadline));
  co_return check_incarnation("source", source.cluster_id, link_.definition.spec().source_incarnation,
                              source.incarnation);
}

}  // namespace farshore::linker
