#include "broker/groups/internal/rebalance.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/ensure.h"

namespace farshore::broker {
namespace {

using Code = kafka::ErrorCode;
using What = GroupEffects::Note::What;

constexpr Duration kRetryMin = seconds(1);  // whatever rebalance timeout members ask for

}  // namespace

// --- records

void Rebalance::restore(const kafka::GroupMetadataValue& value, GroupNow now, GroupEffects& effects) {
  ensure(members_.empty() && state_ == GroupState::kEmpty, "a group is restored once, before anything else");
  generation_ = value.generation;
  state_since_ms_ = value.current_state_timestamp;
  if (!value.protocol_type.empty()) protocol_type_ = value.protocol_type;
  protocol_name_ = value.protocol;
  members_.restore(value);
  for (auto& [id, member] : members_.all()) keep_alive(member, now);
  if (!members_.empty()) state_ = GroupState::kStable;
  find_subscriptions();
  if (members_.size() > limits_.members_max)  // the limit was lowered: those that join last are refused
    begin("the group has more members than group.max.size allows", now, effects);
}

kafka::GroupMetadataValue Rebalance::record(const GroupMembers::Assignments* assignments) const {
  kafka::GroupMetadataValue value;
  value.protocol_type = protocol_type_.value_or("");
  value.generation = generation_;
  value.protocol = protocol_name_;
  value.leader = members_.leader().empty() ? std::nullopt : std::optional(members_.leader());
  value.current_state_timestamp = state_since_ms_;
  members_.save(protocol_name_.value_or(""), assignments, value);
  return value;
}

void Rebalance::write(PendingWrite pending, kafka::GroupMetadataValue value, GroupEffects& effects) {
  GroupEffects::Write out;
  out.token = ++last_token_;
  out.value = std::move(value);
  writes_.emplace(out.token, std::move(pending));
  effects.writes.push_back(std::move(out));
}

void Rebalance::written(uint64_t token, Code error, GroupNow now, GroupEffects& effects) {
  auto node = writes_.extract(token);
  ensure(!node.empty(), "a write ends once");
  PendingWrite& pending = node.mapped();
  switch (pending.kind) {
    case PendingWrite::Kind::kEmpty:
      return;  // if it failed, a restart reads the generation before, whose members time out
    case PendingWrite::Kind::kAssignment:
      return written_assignment(pending, error, now, effects);
    case PendingWrite::Kind::kStaticReplacement:
      return written_replacement(pending, error, now, effects);
  }
}

void Rebalance::written_assignment(PendingWrite& pending, Code error, GroupNow now, GroupEffects& effects) {
  if (state_ != GroupState::kCompletingRebalance || pending.generation != generation_) return;  // overtaken
  if (error != Code::kNone) {
    for (auto& [id, member] : members_.all()) member.assignment.clear();
    propagate_assignments(error, now, effects);
    return begin("the assignment could not be written", now, effects);
  }
  for (auto& [id, member] : members_.all()) member.assignment = std::move(pending.assignments[id]);
  propagate_assignments(Code::kNone, now, effects);
  transition(GroupState::kStable, now.wall);
}

void Rebalance::write_replacement(std::string member_id, GroupMember before, bool can_skip_assignment,
                                  GroupEffects& effects) {
  PendingWrite pending;
  pending.kind = PendingWrite::Kind::kStaticReplacement;
  pending.generation = generation_;
  pending.member_id = std::move(member_id);
  pending.before = std::move(before);
  pending.can_skip_assignment = can_skip_assignment;
  write(std::move(pending), record(), effects);
}

void Rebalance::written_replacement(PendingWrite& pending, Code error, GroupNow now, GroupEffects& effects) {
  // Overtaken by a rebalance: the member waits in it, or was answered by it. The next record carries its id.
  GroupMember* member = members_.find(pending.member_id);
  if (!member || state_ != GroupState::kStable || generation_ != pending.generation) return;
  if (error == Code::kNone) {
    const bool leads = members_.leader() == member->id;
    JoinAnswer answer = current_generation(*member, leads && pending.can_skip_assignment);
    // KIP-814: the leader learns the members but must not assign. Before version 9 it must not know that it leads.
    answer.skip_assignment = leads && pending.can_skip_assignment;
    if (leads && !pending.can_skip_assignment) answer.leader = pending.before->id;
    return members_.answer_join(*member, std::move(answer), effects);
  }
  members_.answer_join(*member, join_error(error, ""), effects);
  keep_alive(members_.undo_rename(pending.member_id, std::move(*pending.before)), now);
}

// --- the join phase

void Rebalance::joined(std::string reason, GroupNow now, GroupEffects& effects) {
  if (state_ == GroupState::kStable || state_ == GroupState::kCompletingRebalance || state_ == GroupState::kEmpty)
    return begin(std::move(reason), now, effects);
  complete_if_ready(now, effects);
}

void Rebalance::left(std::string reason, GroupNow now, GroupEffects& effects) {
  if (state_ == GroupState::kStable || state_ == GroupState::kCompletingRebalance)
    return begin(std::move(reason), now, effects);
  complete_if_ready(now, effects);
}

void Rebalance::new_member_came() {
  if (state_ == GroupState::kPreparingRebalance && initial_) new_member_added_ = true;
}

void Rebalance::begin(std::string reason, GroupNow now, GroupEffects& effects) {
  if (state_ == GroupState::kCompletingRebalance) {  // those that wait for an assignment join again
    for (auto& [id, member] : members_.all()) member.assignment.clear();
    propagate_assignments(Code::kRebalanceInProgress, now, effects);
  }
  for (auto& [id, member] : members_.all()) member.pending_sync = false;
  sync_at_ = MonoTime::max();
  effects.note(What::kRebalance, std::move(reason));
  initial_ = state_ == GroupState::kEmpty;
  new_member_added_ = false;
  transition(GroupState::kPreparingRebalance, now.wall);
  if (initial_) {
    delay_ = limits_.initial_rebalance_delay;
    delay_left_ = std::max(members_.rebalance_timeout() - delay_, Duration(0));
    join_timer_ = JoinTimer::kInitialDelay;
    join_at_ = now.mono + delay_;
    return schedule(join_at_);
  }
  if (members_.all_joined()) return complete(now, effects);
  join_timer_ = JoinTimer::kRebalance;
  join_at_ = now.mono + members_.rebalance_timeout();
  schedule(join_at_);
}

void Rebalance::complete_if_ready(GroupNow now, GroupEffects& effects) {
  if (state_ == GroupState::kPreparingRebalance && !initial_ && members_.all_joined()) complete(now, effects);
}

void Rebalance::complete(GroupNow now, GroupEffects& effects) {
  join_timer_ = JoinTimer::kNone;
  join_at_ = MonoTime::max();
  std::vector<std::string> absent;
  for (const auto& [id, member] : members_.all())
    if (!member.join && !member.instance_id) absent.push_back(id);
  for (const auto& id : absent) {
    effects.note(What::kMemberLost, "member " + id + " did not join again in time");
    members_.remove(id);
  }
  if (!members_.elect_joined_leader() && !members_.empty()) {  // only silent static members: their sessions will end
    join_timer_ = JoinTimer::kRebalance;
    join_at_ = now.mono + std::max(members_.rebalance_timeout(), kRetryMin);
    return schedule(join_at_);
  }
  next_generation(now);
  if (state_ == GroupState::kEmpty) {
    PendingWrite pending;
    pending.generation = generation_;
    return write(std::move(pending), record(), effects);
  }
  for (auto& [id, member] : members_.all()) {
    JoinAnswer answer = current_generation(member, members_.leader() == id);
    members_.answer_join(member, std::move(answer), effects);
    member.is_new = false;
    member.pending_sync = true;
    keep_alive(member, now);
  }
  sync_at_ = now.mono + members_.rebalance_timeout();
  schedule(sync_at_);
}

void Rebalance::next_generation(GroupNow now) {
  ++generation_;
  if (members_.empty()) {
    protocol_name_.reset();
    transition(GroupState::kEmpty, now.wall);
  } else {
    protocol_name_ = members_.select_protocol();
    transition(GroupState::kCompletingRebalance, now.wall);
  }
  find_subscriptions();
}

void Rebalance::find_subscriptions() {
  subscribed_.reset();
  if (consumer_group()) subscribed_ = members_.subscriptions(protocol_name_);
}

JoinAnswer Rebalance::current_generation(const GroupMember& member, bool with_members) const {
  JoinAnswer answer;
  answer.generation = generation_;
  answer.protocol_type = protocol_type_;
  answer.protocol_name = protocol_name_;
  answer.leader = members_.leader();
  answer.member_id = member.id;
  if (!with_members) return answer;
  for (const auto& [id, each] : members_.all()) {
    JoinAnswer::Member listed;
    listed.member_id = id;
    listed.instance_id = each.instance_id;
    listed.metadata = each.metadata(protocol_name_.value_or(""));
    answer.members.push_back(std::move(listed));
  }
  return answer;
}

// --- the sync phase

void Rebalance::synced(GroupMember& member) {
  member.pending_sync = false;
  const auto& all = members_.all();
  if (std::none_of(all.begin(), all.end(), [](const auto& each) { return each.second.pending_sync; }))
    sync_at_ = MonoTime::max();
}

void Rebalance::assign(std::vector<std::pair<std::string, kafka::Bytes>> assignments, GroupNow now,
                       GroupEffects& effects) {
  const bool under_way = std::any_of(writes_.begin(), writes_.end(), [&](const auto& each) {
    return each.second.kind == PendingWrite::Kind::kAssignment && each.second.generation == generation_;
  });
  if (under_way) return;  // the leader repeats itself
  PendingWrite pending;
  pending.kind = PendingWrite::Kind::kAssignment;
  pending.generation = generation_;
  for (const auto& each : members_.all()) pending.assignments[each.first];
  for (auto& [id, assignment] : assignments)
    if (members_.find(id)) pending.assignments[id] = std::move(assignment);
  auto value = record(&pending.assignments);
  value.current_state_timestamp = now.wall.milliseconds_since_epoch;
  write(std::move(pending), std::move(value), effects);
}

void Rebalance::propagate_assignments(Code error, GroupNow now, GroupEffects& effects) {
  for (auto& [id, member] : members_.all()) {
    if (!member.sync) continue;
    SyncAnswer answer = sync_error(error);
    if (error == Code::kNone) {
      answer.protocol_type = protocol_type_;
      answer.protocol_name = protocol_name_;
      answer.assignment = member.assignment;
    }
    members_.answer_sync(member, std::move(answer), effects);
    keep_alive(member, now);  // its session may have ended unnoticed while it waited
  }
}

// --- deadlines

void Rebalance::keep_alive(GroupMember& member, Duration session, GroupNow now) {
  member.session_end = now.mono + session;
  schedule(member.session_end);
}

void Rebalance::expire(GroupNow now, GroupEffects& effects) {
  if (state_ == GroupState::kDead) {
    next_deadline_ = MonoTime::max();
    return;
  }
  if (sync_at_ <= now.mono) expire_sync(now, effects);
  if (join_at_ <= now.mono) expire_join(now, effects);
  expire_sessions(now, effects);
  auto& handed_out = members_.handed_out();
  const size_t before = handed_out.size();
  std::erase_if(handed_out, [&](const auto& each) { return each.second <= now.mono; });
  if (handed_out.size() != before && state_ == GroupState::kPreparingRebalance && members_.all_joined())
    complete(now, effects);

  next_deadline_ = std::min(join_at_, sync_at_);
  for (const auto& [id, member] : members_.all()) schedule(member.session_end);
  for (const auto& [id, until] : handed_out) schedule(until);
}

void Rebalance::expire_join(GroupNow now, GroupEffects& effects) {
  const bool prolonged = join_timer_ == JoinTimer::kInitialDelay && new_member_added_ && delay_left_ > Duration(0);
  if (!prolonged) return complete(now, effects);
  new_member_added_ = false;  // more may come: wait another round, in all not longer than the rebalance timeout
  const Duration next = std::min(limits_.initial_rebalance_delay, delay_left_);
  delay_left_ = std::max(delay_left_ - delay_, Duration(0));
  delay_ = next;
  join_at_ = now.mono + next;
}

void Rebalance::expire_sync(GroupNow now, GroupEffects& effects) {
  sync_at_ = MonoTime::max();
  if (state_ != GroupState::kCompletingRebalance && state_ != GroupState::kStable) return;
  std::vector<std::string> silent;
  for (const auto& [id, member] : members_.all())
    if (member.pending_sync) silent.push_back(id);
  if (silent.empty()) return;
  for (const auto& id : silent) {
    effects.note(What::kMemberLost, "member " + id + " did not ask for its assignment in time");
    members_.remove(id);
  }
  begin("members did not sync", now, effects);
}

void Rebalance::expire_sessions(GroupNow now, GroupEffects& effects) {
  std::vector<std::string> ended;
  for (auto& [id, member] : members_.all()) {
    if (member.session_end > now.mono) continue;
    member.session_end = MonoTime::max();  // set again when its wait ends
    // A member that waits for the others shows life by waiting; a new member has no other way to be found dead.
    if (member.is_new || (!member.join && !member.sync)) ended.push_back(id);
  }
  for (const auto& id : ended) {
    const GroupMember* member = members_.find(id);
    if (!member || member->session_end != MonoTime::max()) continue;  // an earlier one changed it
    effects.note(What::kMemberLost, "member " + id + " sent no heartbeat in time");
    lose_member(id, "member " + id + " was lost", now, effects);
  }
}

void Rebalance::lose_member(const std::string& member_id, std::string reason, GroupNow now, GroupEffects& effects) {
  GroupMember& member = members_.at(member_id);
  // A new member may time out while its join waits; if it is still there it joins again.
  members_.answer_join(member, join_error(Code::kUnknownMemberId, ""), effects);
  members_.answer_sync(member, sync_error(Code::kUnknownMemberId), effects);
  members_.remove(member_id);
  if (state_ == GroupState::kStable || state_ == GroupState::kCompletingRebalance)
    begin(std::move(reason), now, effects);
  else if (state_ == GroupState::kPreparingRebalance && members_.all_joined())
    complete(now, effects);
}

// --- states

void Rebalance::begin_delete() {
  ensure(state_ == GroupState::kEmpty, "only an empty group is deleted");
  state_ = GroupState::kDead;
}

void Rebalance::cancel_delete(WallTime now) {
  ensure(state_ == GroupState::kDead, "a deletion had begun");
  state_ = GroupState::kEmpty;
  state_since_ms_ = now.milliseconds_since_epoch;
}

void Rebalance::close(Code error, GroupEffects& effects) {
  for (auto& [id, member] : members_.all()) {
    members_.answer_join(member, join_error(error, id), effects);
    members_.answer_sync(member, sync_error(error), effects);
  }
  state_ = GroupState::kDead;
  next_deadline_ = MonoTime::max();
}

void Rebalance::transition(GroupState to, WallTime now) {
  const bool legal =
      (to == GroupState::kEmpty && state_ == GroupState::kPreparingRebalance) ||
      (to == GroupState::kPreparingRebalance &&
       (state_ == GroupState::kStable || state_ == GroupState::kCompletingRebalance || state_ == GroupState::kEmpty)) ||
      (to == GroupState::kCompletingRebalance && state_ == GroupState::kPreparingRebalance) ||
      (to == GroupState::kStable && state_ == GroupState::kCompletingRebalance);
  ensure(legal, "a transition of the picture in rebalance.h");
  state_ = to;
  state_since_ms_ = now.milliseconds_since_epoch;
}

}  // namespace farshore::broker
