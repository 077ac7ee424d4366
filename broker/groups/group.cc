#include "broker/groups/group.h"

#include <algorithm>
#include <utility>

#include "base/ensure.h"
#include "proto/kafka/messages/consumer_protocol.h"
#include "proto/kafka/wire.h"

namespace farshore::broker {
namespace {

using kafka::Bytes;
using Code = kafka::ErrorCode;

using What = GroupEffects::Note::What;

bool contradicts(const std::optional<std::string>& asked, const std::optional<std::string>& have) {
  return asked && have && *asked != *have;
}

}  // namespace

std::string_view group_state_name(GroupState state) {
  switch (state) {
    case GroupState::kEmpty:
      return "Empty";
    case GroupState::kPreparingRebalance:
      return "PreparingRebalance";
    case GroupState::kCompletingRebalance:
      return "CompletingRebalance";
    case GroupState::kStable:
      return "Stable";
    case GroupState::kDead:
      return "Dead";
  }
  return "Unknown";
}

const Bytes& Group::Member::metadata(const std::string& protocol) const {
  static const Bytes none;
  for (const auto& each : protocols)
    if (each.name == protocol) return each.metadata;
  return none;
}

Group::Group(std::string id, GroupLimits limits, WallTime now)
    : id_(std::move(id)), limits_(limits), state_since_ms_(now.milliseconds_since_epoch) {}

void Group::restore(const kafka::GroupMetadataValue& value, GroupNow now, GroupEffects& effects) {
  ensure(members_.empty() && state_ == GroupState::kEmpty, "a group is restored once, before anything else");
  generation_ = value.generation;
  state_since_ms_ = value.current_state_timestamp;
  if (!value.protocol_type.empty()) protocol_type_ = value.protocol_type;
  protocol_name_ = value.protocol;
  leader_ = value.leader.value_or("");
  for (const auto& saved : value.members) {
    Member member;
    member.id = saved.member_id;
    member.instance_id = saved.group_instance_id;
    member.client_id = saved.client_id;
    member.client_host = saved.client_host;
    member.session_timeout_ms = saved.session_timeout;
    member.rebalance_timeout_ms = saved.rebalance_timeout == -1 ? saved.session_timeout : saved.rebalance_timeout;
    GroupProtocol protocol;
    protocol.name = value.protocol.value_or("");
    protocol.metadata = saved.subscription;
    member.protocols.push_back(std::move(protocol));
    member.assignment = saved.assignment;
    if (member.instance_id) static_ids_[*member.instance_id] = member.id;
    auto [at, added] = members_.emplace(member.id, std::move(member));
    if (!added) continue;
    count_protocols(at->second, +1);
    keep_alive(at->second, now);
  }
  if (!members_.empty()) {
    state_ = GroupState::kStable;
    if (!members_.count(leader_)) leader_ = members_.begin()->first;
  }
  find_subscriptions();
  if (members_.size() > limits_.members_max)  // the limit was lowered: those that come last are refused
    prepare_rebalance("the group has more members than group.max.size allows", now, effects);
}

// --- SyncGroup ---

void Group::sync(SyncRequest request, Ticket ticket, GroupNow now, GroupEffects& effects) {
  auto refuse = [&](Code error) { effects.syncs.emplace_back(ticket, sync_error(error)); };
  if (state_ == GroupState::kDead) return refuse(Code::kCoordinatorNotAvailable);
  if (Code error = check_member(request.member); error != Code::kNone) return refuse(error);
  if (request.generation != generation_) return refuse(Code::kIllegalGeneration);
  if (contradicts(request.protocol_type, protocol_type_) || contradicts(request.protocol_name, protocol_name_))
    return refuse(Code::kInconsistentGroupProtocol);
  if (state_ == GroupState::kEmpty) return refuse(Code::kUnknownMemberId);
  if (state_ == GroupState::kPreparingRebalance) return refuse(Code::kRebalanceInProgress);

  Member& member = members_.at(request.member.member_id);
  member.pending_sync = false;
  if (std::none_of(members_.begin(), members_.end(), [](const auto& each) { return each.second.pending_sync; }))
    sync_at_ = MonoTime::max();
  if (state_ == GroupState::kStable) {
    SyncAnswer answer;
    answer.protocol_type = protocol_type_;
    answer.protocol_name = protocol_name_;
    answer.assignment = member.assignment;
    effects.syncs.emplace_back(ticket, std::move(answer));
    return;
  }
  answer_sync(member, sync_error(Code::kRebalanceInProgress), effects);  // an older request that nobody waits for now
  member.sync = ticket;
  if (leader_ != member.id) return;
  const bool under_way = std::any_of(writes_.begin(), writes_.end(), [&](const auto& each) {
    return each.second.kind == PendingWrite::Kind::kAssignment && each.second.generation == generation_;
  });
  if (under_way) return;  // the leader repeats itself
  PendingWrite pending;
  pending.kind = PendingWrite::Kind::kAssignment;
  pending.generation = generation_;
  for (const auto& each : members_) pending.assignments[each.first];  // whom the leader forgets gets nothing
  for (auto& [id, assignment] : request.assignments)
    if (members_.count(id)) pending.assignments[id] = std::move(assignment);
  auto value = value_with(&pending.assignments);
  value.current_state_timestamp = now.wall.milliseconds_since_epoch;
  write(std::move(pending), std::move(value), effects);
}

void Group::propagate_assignments(Code error, GroupNow now, GroupEffects& effects) {
  for (auto& [id, member] : members_) {
    if (!member.sync) continue;
    SyncAnswer answer = sync_error(error);
    if (error == Code::kNone) {
      answer.protocol_type = protocol_type_;
      answer.protocol_name = protocol_name_;
      answer.assignment = member.assignment;
    }
    answer_sync(member, std::move(answer), effects);
    keep_alive(member, now);  // its session may have ended unnoticed while it waited
  }
}

void Group::written(uint64_t token, Code error, GroupNow now, GroupEffects& effects) {
  auto node = writes_.extract(token);
  ensure(!node.empty(), "a write ends once");
  PendingWrite& pending = node.mapped();
  switch (pending.kind) {
    case PendingWrite::Kind::kEmpty:
      return;  // if it failed, a restart reads the generation before, whose members time out
    case PendingWrite::Kind::kAssignment:
      if (state_ != GroupState::kCompletingRebalance || pending.generation != generation_) return;  // overtaken
      if (error != Code::kNone) {
        for (auto& [id, member] : members_) member.assignment.clear();
        propagate_assignments(error, now, effects);
        return prepare_rebalance("the assignment could not be written", now, effects);
      }
      for (auto& [id, member] : members_) member.assignment = std::move(pending.assignments[id]);
      propagate_assignments(Code::kNone, now, effects);
      return transition(GroupState::kStable, now.wall);
    case PendingWrite::Kind::kStaticReplacement:
      break;
  }
  // Overtaken by a rebalance: the member waits in it, or was answered by it. The next record carries its id.
  auto it = members_.find(pending.member_id);
  if (it == members_.end() || state_ != GroupState::kStable || generation_ != pending.generation) return;
  Member& member = it->second;
  if (error == Code::kNone) {
    const bool leads = leader_ == member.id;
    JoinAnswer answer = current_generation(member, leads && pending.can_skip_assignment);
    // KIP-814: the leader learns the members but must not assign. Before version 9 it must not know that it leads.
    answer.skip_assignment = leads && pending.can_skip_assignment;
    if (leads && !pending.can_skip_assignment) answer.leader = pending.before->id;
    return answer_join(member, std::move(answer), effects);
  }
  answer_join(member, join_error(error, ""), effects);
  Member before = std::move(*pending.before);
  const std::string new_id = member.id;
  count_protocols(member, -1);
  if (leader_ == new_id) leader_ = before.id;
  static_ids_[*before.instance_id] = before.id;
  members_.erase(it);
  auto& restored = members_.emplace(before.id, std::move(before)).first->second;
  count_protocols(restored, +1);
  keep_alive(restored, now);
}

// --- heartbeats, leaving, expiry ---

Code Group::heartbeat(const MemberIdentity& identity, int32_t generation, GroupNow now) {
  if (state_ == GroupState::kDead) return Code::kCoordinatorNotAvailable;
  if (Code error = check_member(identity); error != Code::kNone) return error;
  if (generation != generation_) return Code::kIllegalGeneration;
  keep_alive(members_.at(identity.member_id), now);
  return state_ == GroupState::kPreparingRebalance ? Code::kRebalanceInProgress : Code::kNone;
}

Code Group::check_commit(const MemberIdentity& identity, int32_t generation, GroupNow now) {
  if (state_ == GroupState::kDead) return Code::kCoordinatorNotAvailable;
  if (generation < 0 && state_ == GroupState::kEmpty) return Code::kNone;
  if (generation < 0 && identity.member_id.empty() && !identity.instance_id) return Code::kUnknownMemberId;
  if (Code error = check_member(identity); error != Code::kNone) return error;
  if (generation != generation_) return Code::kIllegalGeneration;
  // Its generation is valid, so it has the answer of the join: it must get its assignment first.
  if (state_ == GroupState::kCompletingRebalance) return Code::kRebalanceInProgress;
  keep_alive(members_.at(identity.member_id), now);
  return Code::kNone;
}

std::vector<Code> Group::leave(const std::vector<MemberIdentity>& members, GroupNow now, GroupEffects& effects) {
  std::vector<Code> codes;
  bool any = false;
  for (const auto& each : members) {
    MemberIdentity identity = each;
    // An administrator names the instance only.
    if (identity.member_id.empty() && identity.instance_id && static_member(*identity.instance_id))
      identity.member_id = static_ids_.at(*identity.instance_id);
    Code code = Code::kNone;
    if (state_ == GroupState::kDead) {
      code = Code::kCoordinatorNotAvailable;
    } else if (pending_.erase(identity.member_id) == 0) {
      code = check_member(identity);
      if (code == Code::kNone) {
        effects.note(What::kMemberLeft, "member " + identity.member_id + " left" + reason_text(identity.reason));
        auto& member = members_.at(identity.member_id);
        answer_join(member, join_error(Code::kUnknownMemberId, ""), effects);
        answer_sync(member, sync_error(Code::kUnknownMemberId), effects);
        remove(identity.member_id);
      }
    }
    any |= code == Code::kNone;
    codes.push_back(code);
  }
  if (!any) return codes;
  if (state_ == GroupState::kStable || state_ == GroupState::kCompletingRebalance)
    prepare_rebalance("members left", now, effects);
  else
    complete_join_if_ready(now, effects);
  return codes;
}

void Group::lose_member(const std::string& member_id, std::string reason, GroupNow now, GroupEffects& effects) {
  auto& member = members_.at(member_id);
  // A new member may time out while its join waits; if it is still there it joins again.
  answer_join(member, join_error(Code::kUnknownMemberId, ""), effects);
  answer_sync(member, sync_error(Code::kUnknownMemberId), effects);
  remove(member_id);
  if (state_ == GroupState::kStable || state_ == GroupState::kCompletingRebalance)
    prepare_rebalance(std::move(reason), now, effects);
  else if (state_ == GroupState::kPreparingRebalance && all_joined())
    complete_join(now, effects);
}

void Group::expire(GroupNow now, GroupEffects& effects) {
  if (state_ == GroupState::kDead) {
    next_deadline_ = MonoTime::max();
    return;
  }
  if (sync_at_ <= now.mono) expire_pending_sync(now, effects);
  if (join_at_ <= now.mono) {
    if (join_timer_ == JoinTimer::kInitialDelay && new_member_added_ && delay_left_ > Duration(0)) {
      new_member_added_ = false;  // more may come: wait another round, in all not longer than the rebalance timeout
      const Duration next = std::min(limits_.initial_rebalance_delay, delay_left_);
      delay_left_ = std::max(delay_left_ - delay_, Duration(0));
      delay_ = next;
      join_at_ = now.mono + next;
    } else {
      complete_join(now, effects);
    }
  }
  std::vector<std::string> ended;
  for (auto& [id, member] : members_) {
    if (member.session_end > now.mono) continue;
    member.session_end = MonoTime::max();  // set again when its wait ends
    // Who waits for the others shows life by waiting; a new member has no other way to be found dead.
    if (member.is_new || (!member.join && !member.sync)) ended.push_back(id);
  }
  for (const auto& id : ended) {
    auto it = members_.find(id);
    if (it == members_.end() || it->second.session_end != MonoTime::max()) continue;  // an earlier one changed it
    effects.note(What::kMemberLost, "member " + id + " sent no heartbeat in time");
    lose_member(id, "member " + id + " was lost", now, effects);
  }
  const size_t pending_before = pending_.size();
  std::erase_if(pending_, [&](const auto& each) { return each.second <= now.mono; });
  if (pending_.size() != pending_before && state_ == GroupState::kPreparingRebalance && all_joined())
    complete_join(now, effects);

  next_deadline_ = std::min(join_at_, sync_at_);
  for (const auto& [id, member] : members_) schedule(member.session_end);
  for (const auto& [id, until] : pending_) schedule(until);
}

void Group::expire_pending_sync(GroupNow now, GroupEffects& effects) {
  sync_at_ = MonoTime::max();
  if (state_ != GroupState::kCompletingRebalance && state_ != GroupState::kStable) return;
  std::vector<std::string> silent;
  for (const auto& [id, member] : members_)
    if (member.pending_sync) silent.push_back(id);
  if (silent.empty()) return;
  for (const auto& id : silent) {
    effects.note(What::kMemberLost, "member " + id + " did not ask for its assignment in time");
    remove(id);
  }
  prepare_rebalance("members did not sync", now, effects);
}

void Group::begin_delete() {
  ensure(state_ == GroupState::kEmpty, "only an empty group is deleted");
  state_ = GroupState::kDead;
}

void Group::cancel_delete(WallTime now) {
  ensure(state_ == GroupState::kDead, "a deletion had begun");
  state_ = GroupState::kEmpty;
  state_since_ms_ = now.milliseconds_since_epoch;
}

void Group::close(Code error, GroupEffects& effects) {
  for (auto& [id, member] : members_) {
    answer_join(member, join_error(error, id), effects);
    answer_sync(member, sync_error(error), effects);
  }
  state_ = GroupState::kDead;
  next_deadline_ = MonoTime::max();
}

// --- parts ---

void Group::remove(const std::string& member_id) {
  pending_.erase(member_id);
  auto it = members_.find(member_id);
  if (it == members_.end()) return;
  count_protocols(it->second, -1);
  if (it->second.join) --joined_count_;
  if (it->second.instance_id) static_ids_.erase(*it->second.instance_id);
  members_.erase(it);
  if (leader_ == member_id) leader_ = members_.empty() ? "" : members_.begin()->first;
}

void Group::answer_join(Member& member, JoinAnswer answer, GroupEffects& effects) {
  if (!member.join) return;
  effects.joins.emplace_back(std::exchange(member.join, 0), std::move(answer));
  --joined_count_;
}

void Group::answer_sync(Member& member, SyncAnswer answer, GroupEffects& effects) {
  if (member.sync) effects.syncs.emplace_back(std::exchange(member.sync, 0), std::move(answer));
}

JoinAnswer Group::current_generation(const Member& member, bool with_members) const {
  JoinAnswer answer;
  answer.generation = generation_;
  answer.protocol_type = protocol_type_;
  answer.protocol_name = protocol_name_;
  answer.leader = leader_;
  answer.member_id = member.id;
  if (!with_members) return answer;
  for (const auto& [id, each] : members_) {
    JoinAnswer::Member listed;
    listed.member_id = id;
    listed.instance_id = each.instance_id;
    listed.metadata = each.metadata(protocol_name_.value_or(""));
    answer.members.push_back(std::move(listed));
  }
  return answer;
}

void Group::write(PendingWrite pending, kafka::GroupMetadataValue value, GroupEffects& effects) {
  GroupEffects::Write out;
  out.token = ++last_token_;
  out.value = std::move(value);
  writes_.emplace(out.token, std::move(pending));
  effects.writes.push_back(std::move(out));
}

kafka::GroupMetadataValue Group::persistent() const { return value_with(nullptr); }

kafka::GroupMetadataValue Group::value_with(const std::map<std::string, Bytes>* assignments) const {
  kafka::GroupMetadataValue value;
  value.protocol_type = protocol_type_.value_or("");
  value.generation = generation_;
  value.protocol = protocol_name_;
  value.leader = leader_.empty() ? std::nullopt : std::optional(leader_);
  value.current_state_timestamp = state_since_ms_;
  for (const auto& [id, member] : members_) {
    kafka::GroupMetadataValue::MemberMetadata saved;
    saved.member_id = id;
    saved.group_instance_id = member.instance_id;
    saved.client_id = member.client_id;
    saved.client_host = member.client_host;
    saved.rebalance_timeout = member.rebalance_timeout_ms;
    saved.session_timeout = member.session_timeout_ms;
    saved.subscription = member.metadata(protocol_name_.value_or(""));
    saved.assignment = assignments ? assignments->at(id) : member.assignment;
    value.members.push_back(std::move(saved));
  }
  return value;
}

void Group::transition(GroupState to, WallTime now) {
  const bool legal =
      (to == GroupState::kEmpty && state_ == GroupState::kPreparingRebalance) ||
      (to == GroupState::kPreparingRebalance &&
       (state_ == GroupState::kStable || state_ == GroupState::kCompletingRebalance || state_ == GroupState::kEmpty)) ||
      (to == GroupState::kCompletingRebalance && state_ == GroupState::kPreparingRebalance) ||
      (to == GroupState::kStable && state_ == GroupState::kCompletingRebalance);
  ensure(legal, "a transition of the picture in group.h");
  state_ = to;
  state_since_ms_ = now.milliseconds_since_epoch;
}

void Group::keep_alive(Member& member, Duration session, GroupNow now) {
  member.session_end = now.mono + session;
  schedule(member.session_end);
}

// The members' metadata in a consumer group is theirs, not ours; but all its versions begin with the topics.
void Group::find_subscriptions() {
  subscribed_.reset();
  if (!uses_consumer_protocol()) return;
  std::set<std::string> topics;
  for (const auto& [id, member] : members_) {
    if (!protocol_name_) return;
    kafka::Reader reader(ConstBytes(member.metadata(*protocol_name_)));
    reader.i16();
    auto subscription = kafka::ConsumerProtocolSubscription::decode(reader, 0);
    if (!subscription) return;
    topics.insert(subscription->topics.begin(), subscription->topics.end());
  }
  subscribed_ = std::move(topics);
}

bool Group::subscribed_to(const std::string& topic) const {
  return subscribed_ ? subscribed_->count(topic) != 0 : uses_consumer_protocol();
}

std::optional<int64_t> Group::unused_since(int64_t commit_ms) const {
  if (!protocol_type_) return commit_ms;
  if (state_ == GroupState::kEmpty) return state_since_ms_ >= 0 ? state_since_ms_ : commit_ms;
  if (uses_consumer_protocol() && subscribed_ && state_ == GroupState::kStable) return commit_ms;
  return std::nullopt;
}

GroupDescription Group::describe() const {
  GroupDescription out;
  const bool stable = state_ == GroupState::kStable;
  out.state = group_state_name(state_);
  out.protocol_type = protocol_type_.value_or("");
  if (stable) out.protocol = protocol_name_.value_or("");
  for (const auto& [id, member] : members_) {
    GroupDescription::Member listed;
    listed.member_id = id;
    listed.instance_id = member.instance_id;
    listed.client_id = member.client_id;
    listed.client_host = member.client_host;
    if (stable) {
      listed.metadata = member.metadata(protocol_name_.value_or(""));
      listed.assignment = member.assignment;
    }
    out.members.push_back(std::move(listed));
  }
  return out;
}

}  // namespace farshore::broker
