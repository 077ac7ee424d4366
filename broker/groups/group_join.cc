// JoinGroup and the rebalance that it leads to.
#include <algorithm>
#include <set>
#include <utility>

#include "base/ensure.h"
#include "broker/groups/group.h"

namespace farshore::broker {
namespace {

using Code = kafka::ErrorCode;
using What = GroupEffects::Note::What;

constexpr Duration kRetryMin = seconds(1);  // whatever rebalance timeout members ask for

// A later mention of the same protocol does not count, as in Kafka's collection.
void drop_repeated(std::vector<GroupProtocol>& protocols) {
  std::set<std::string> seen;
  std::erase_if(protocols, [&](const GroupProtocol& protocol) { return !seen.insert(protocol.name).second; });
}

}  // namespace

// --- JoinGroup ---

void Group::join(JoinRequest request, Ticket ticket, GroupNow now, GroupEffects& effects) {
  drop_repeated(request.protocols);
  if (request.rebalance_timeout_ms < 0) request.rebalance_timeout_ms = request.session_timeout_ms;
  const bool is_new = request.member_id.empty();
  auto refuse = [&](Code error, std::string member_id) {
    effects.joins.emplace_back(ticket, join_error(error, std::move(member_id)));
  };
  if (!accepts(request.member_id)) {
    remove(request.member_id);
    return refuse(Code::kGroupMaxSizeReached, "");
  }
  // Dead: somebody is deleting the group, or the coordinator closes. The client looks for the coordinator again.
  if (state_ == GroupState::kDead) return refuse(Code::kCoordinatorNotAvailable, request.member_id);
  if (!supports(request.protocol_type, request.protocols))
    return refuse(Code::kInconsistentGroupProtocol, request.member_id);
  if (is_new) return join_new(std::move(request), ticket, now, effects);
  return join_known(std::move(request), ticket, now, effects);
}

void Group::join_new(JoinRequest request, Ticket ticket, GroupNow now, GroupEffects& effects) {
  if (request.instance_id && static_member(*request.instance_id))
    return replace_static(std::move(request), ticket, now, effects);
  std::string member_id = request.new_member_id;
  if (!request.instance_id && request.needs_known_member_id) {
    if (pending_.size() >= limits_.members_max) {
      effects.joins.emplace_back(ticket, join_error(Code::kGroupMaxSizeReached, ""));
      return;
    }
    const MonoTime until = now.mono + milliseconds(request.session_timeout_ms);
    pending_[member_id] = until;
    schedule(until);
    effects.joins.emplace_back(ticket, join_error(Code::kMemberIdRequired, std::move(member_id)));
    return;
  }
  add_member(std::move(request), std::move(member_id), ticket, now, effects);
}

void Group::join_known(JoinRequest request, Ticket ticket, GroupNow now, GroupEffects& effects) {
  std::string member_id = request.member_id;
  if (pending_.count(member_id) && !request.instance_id)
    return add_member(std::move(request), std::move(member_id), ticket, now, effects);
  MemberIdentity identity;
  identity.member_id = member_id;
  identity.instance_id = request.instance_id;
  if (Code error = check_member(identity); error != Code::kNone) {
    effects.joins.emplace_back(ticket, join_error(error, std::move(member_id)));
    return;
  }
  Member& member = members_.at(member_id);
  const bool same = member.protocols == request.protocols;
  // The same metadata again: the answer was lost, or a follower looks in. It gets the generation that there is.
  if (same && (state_ == GroupState::kCompletingRebalance || (state_ == GroupState::kStable && leader_ != member_id))) {
    JoinAnswer answer = current_generation(member, leader_ == member_id);
    effects.joins.emplace_back(ticket, std::move(answer));
    return;
  }
  // A leader that joins again wants a rebalance (the topics it sees have changed); others have new metadata.
  std::string reason = "member " + member_id + (same ? " joined again" : " changed its metadata") + " during " +
                       std::string(group_state_name(state_)) + reason_text(request.reason);
  update_member(member, request, ticket, effects);
  rebalance_or_complete(std::move(reason), now, effects);
}

bool Group::accepts(const std::string& member_id) const {
  auto it = members_.find(member_id);
  switch (state_) {
    case GroupState::kEmpty:
    case GroupState::kDead:
      return true;
    // Those that wait are counted, not the members: the last ones to come back of a too large group are refused.
    case GroupState::kPreparingRebalance:
      return (it != members_.end() && it->second.join) || joined_count_ < limits_.members_max;
    case GroupState::kCompletingRebalance:
    case GroupState::kStable:
      return it != members_.end() || members_.size() < limits_.members_max;
  }
  return false;
}

bool Group::supports(const std::string& protocol_type, const std::vector<GroupProtocol>& protocols) const {
  if (state_ == GroupState::kEmpty) return !protocol_type.empty() && !protocols.empty();
  if (protocol_type_ != protocol_type) return false;
  return std::any_of(protocols.begin(), protocols.end(), [&](const GroupProtocol& protocol) {
    auto it = protocol_members_.find(protocol.name);
    return (it == protocol_members_.end() ? 0 : it->second) == members_.size();
  });
}

Code Group::check_member(const MemberIdentity& member) const {
  if (member.instance_id) {
    auto it = static_ids_.find(*member.instance_id);
    if (it == static_ids_.end()) return Code::kUnknownMemberId;
    if (it->second != member.member_id) return Code::kFencedInstanceId;
  }
  return members_.count(member.member_id) ? Code::kNone : Code::kUnknownMemberId;
}

void Group::add_member(JoinRequest request, std::string member_id, Ticket ticket, GroupNow now, GroupEffects& effects) {
  std::string reason = "new member " + member_id + reason_text(request.reason);
  Member member;
  member.id = member_id;
  member.instance_id = std::move(request.instance_id);
  member.client_id = std::move(request.client_id);
  member.client_host = std::move(request.client_host);
  member.rebalance_timeout_ms = request.rebalance_timeout_ms;
  member.session_timeout_ms = request.session_timeout_ms;
  member.protocols = std::move(request.protocols);
  member.is_new = true;
  member.join = ticket;
  if (state_ == GroupState::kPreparingRebalance && initial_rebalance_) new_member_added_ = true;
  if (members_.empty()) protocol_type_ = std::move(request.protocol_type);
  if (leader_.empty()) leader_ = member_id;
  if (member.instance_id) static_ids_[*member.instance_id] = member_id;
  pending_.erase(member_id);
  auto [at, added] = members_.insert_or_assign(member_id, std::move(member));
  ensure(added, "a new member has a new id");
  count_protocols(at->second, +1);
  ++joined_count_;
  // It cannot send heartbeats while its first join waits, and a closed connection is not seen: so it is given up after
  // a fixed time, and tries again if it is still there.
  keep_alive(at->second, limits_.new_member_join_max, now);
  rebalance_or_complete(std::move(reason), now, effects);
}

void Group::update_member(Member& member, JoinRequest& request, Ticket ticket, GroupEffects& effects) {
  count_protocols(member, -1);
  member.protocols = std::move(request.protocols);
  count_protocols(member, +1);
  member.rebalance_timeout_ms = request.rebalance_timeout_ms;
  member.session_timeout_ms = request.session_timeout_ms;
  // An older request of the same member still waits: nobody reads its answer any more.
  if (member.join) effects.joins.emplace_back(member.join, join_error(Code::kRebalanceInProgress, member.id));
  if (!member.join) ++joined_count_;
  member.join = ticket;
}

// A static member came back without its member id (its process restarted): it takes the place of its old self.
void Group::replace_static(JoinRequest request, Ticket ticket, GroupNow now, GroupEffects& effects) {
  const std::string instance_id = *request.instance_id;
  const std::string old_id = static_ids_.at(instance_id);
  const std::string new_id = request.new_member_id;
  Member member = std::move(members_.at(old_id));
  members_.erase(old_id);
  answer_join(member, join_error(Code::kFencedInstanceId, old_id), effects);
  answer_sync(member, sync_error(Code::kFencedInstanceId), effects);
  PendingWrite pending;
  pending.kind = PendingWrite::Kind::kStaticReplacement;
  pending.before = member;
  pending.member_id = new_id;
  pending.can_skip_assignment = request.can_skip_assignment;
  member.id = new_id;
  member.pending_sync = false;
  Member& replaced = members_.emplace(new_id, std::move(member)).first->second;
  if (leader_ == old_id) leader_ = new_id;
  static_ids_[instance_id] = new_id;
  update_member(replaced, request, ticket, effects);
  keep_alive(replaced, now);

  if (state_ == GroupState::kStable) {
    if (protocol_name_ == select_protocol()) {  // nothing changes for the others: only the new id is kept
      pending.generation = generation_;
      return write(std::move(pending), persistent(), effects);
    }
    return rebalance_or_complete("static member " + new_id + " changes the selected protocol", now, effects);
  }
  // The leader may be assigning to the old id right now.
  if (state_ == GroupState::kCompletingRebalance)
    return prepare_rebalance("static member " + new_id + " replaced " + old_id + reason_text(request.reason), now,
                             effects);
  complete_join_if_ready(now, effects);
}

// --- rebalance ---

void Group::rebalance_or_complete(std::string reason, GroupNow now, GroupEffects& effects) {
  if (state_ == GroupState::kStable || state_ == GroupState::kCompletingRebalance || state_ == GroupState::kEmpty)
    return prepare_rebalance(std::move(reason), now, effects);
  complete_join_if_ready(now, effects);
}

void Group::prepare_rebalance(std::string reason, GroupNow now, GroupEffects& effects) {
  if (state_ == GroupState::kCompletingRebalance) {  // those that wait for an assignment join again
    for (auto& [id, member] : members_) member.assignment.clear();
    propagate_assignments(Code::kRebalanceInProgress, now, effects);
  }
  for (auto& [id, member] : members_) member.pending_sync = false;
  sync_at_ = MonoTime::max();
  effects.note(What::kRebalance, std::move(reason));
  initial_rebalance_ = state_ == GroupState::kEmpty;
  new_member_added_ = false;
  transition(GroupState::kPreparingRebalance, now.wall);
  if (initial_rebalance_) {
    delay_ = limits_.initial_rebalance_delay;
    delay_left_ = std::max(rebalance_timeout() - delay_, Duration(0));
    join_timer_ = JoinTimer::kInitialDelay;
    join_at_ = now.mono + delay_;
    return schedule(join_at_);
  }
  if (all_joined()) return complete_join(now, effects);
  join_timer_ = JoinTimer::kRebalance;
  join_at_ = now.mono + rebalance_timeout();
  schedule(join_at_);
}

void Group::complete_join_if_ready(GroupNow now, GroupEffects& effects) {
  if (state_ == GroupState::kPreparingRebalance && !initial_rebalance_ && all_joined()) complete_join(now, effects);
}

void Group::complete_join(GroupNow now, GroupEffects& effects) {
  join_timer_ = JoinTimer::kNone;
  join_at_ = MonoTime::max();
  std::vector<std::string> absent;
  for (const auto& [id, member] : members_)
    if (!member.join && !member.instance_id) absent.push_back(id);
  for (const auto& id : absent) {
    effects.note(What::kMemberLost, "member " + id + " did not join again in time");
    remove(id);
  }
  if (!elect_joined_leader() && !members_.empty()) {  // only silent static members: their sessions will end
    join_timer_ = JoinTimer::kRebalance;
    join_at_ = now.mono + std::max(rebalance_timeout(), kRetryMin);
    return schedule(join_at_);
  }
  next_generation(now);
  if (state_ == GroupState::kEmpty) {
    PendingWrite pending;
    pending.generation = generation_;
    return write(std::move(pending), persistent(), effects);
  }
  for (auto& [id, member] : members_) {
    JoinAnswer answer = current_generation(member, leader_ == id);
    answer_join(member, std::move(answer), effects);
    member.is_new = false;
    member.pending_sync = true;
    keep_alive(member, now);
  }
  sync_at_ = now.mono + rebalance_timeout();
  schedule(sync_at_);
}

bool Group::elect_joined_leader() {
  auto leader = members_.find(leader_);
  if (leader == members_.end()) return false;
  if (leader->second.join) return true;
  for (const auto& [id, member] : members_) {
    if (!member.join) continue;
    leader_ = id;
    return true;
  }
  return false;
}

void Group::next_generation(GroupNow now) {
  ++generation_;
  if (members_.empty()) {
    protocol_name_.reset();
    transition(GroupState::kEmpty, now.wall);
  } else {
    protocol_name_ = select_protocol();
    transition(GroupState::kCompletingRebalance, now.wall);
  }
  find_subscriptions();
}

Duration Group::rebalance_timeout() const {
  int32_t longest = 0;
  for (const auto& [id, member] : members_) longest = std::max(longest, member.rebalance_timeout_ms);
  return milliseconds(longest);
}

// Each member votes for the first of its protocols that all members support; most votes win, then the first by name.
std::string Group::select_protocol() const {
  std::map<std::string, size_t> votes;
  for (const auto& [id, member] : members_) {
    for (const auto& protocol : member.protocols) {
      auto it = protocol_members_.find(protocol.name);
      if (it == protocol_members_.end() || it->second != members_.size()) continue;
      ++votes[protocol.name];
      break;
    }
  }
  std::string best;
  size_t most = 0;
  for (const auto& [name, count] : votes) {
    if (count <= most) continue;
    best = name;
    most = count;
  }
  return best;
}

void Group::count_protocols(const Member& member, int by) {
  for (const auto& protocol : member.protocols) {
    auto& count = protocol_members_[protocol.name];
    count = static_cast<size_t>(static_cast<int64_t>(count) + by);
    if (count == 0) protocol_members_.erase(protocol.name);
  }
}

}  // namespace farshore::broker
