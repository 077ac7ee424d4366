#include "broker/groups/group.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/ensure.h"
#include "broker/groups/internal/rebalance.h"

namespace farshore::broker {
namespace {

using Code = kafka::ErrorCode;
using What = GroupEffects::Note::What;

bool contradicts(const std::optional<std::string>& asked, const std::optional<std::string>& have) {
  return asked && have && *asked != *have;
}

// Of a protocol that is named twice the first mention counts, as in Kafka's collection.
void drop_repeated(std::vector<GroupProtocol>& protocols) {
  std::set<std::string> seen;
  std::erase_if(protocols, [&](const GroupProtocol& protocol) { return !seen.insert(protocol.name).second; });
}

void take_settings(GroupMembers& members, GroupMember& member, JoinRequest& request) {
  members.set_protocols(member, std::move(request.protocols));
  member.held = std::move(request.held);
  member.rebalance_timeout_ms = request.rebalance_timeout_ms;
  member.session_timeout_ms = request.session_timeout_ms;
}

}  // namespace

Group::Group(std::string id, GroupLimits limits, WallTime now)
    : id_(std::move(id)), rebalance_(std::make_unique<Rebalance>(limits, now)) {}

Group::Group(Group&&) noexcept = default;

Group::~Group() = default;

void Group::restore(const kafka::GroupMetadataValue& value, GroupNow now, GroupEffects& effects) {
  rebalance_->restore(value, now, effects);
}

// Beyond the limit if need be: they are members already.
void Group::hold_members(const std::shared_ptr<Budget>& memory) {
  for (auto& [id, member] : rebalance_->members().all())
    if (!member.held) member.held = hold_memory(memory, member.memory_bytes());
}

size_t Group::held_bytes(const JoinRequest& request) const {
  const GroupMembers& members = std::as_const(*rebalance_).members();
  const std::string* id = request.instance_id ? members.static_id(*request.instance_id) : nullptr;
  const GroupMember* member = members.find(id ? *id : request.member_id);
  return member && member->held ? member->held->token.bytes() : 0;
}

GroupState Group::state() const { return rebalance_->state(); }
int32_t Group::generation() const { return rebalance_->generation(); }
const std::optional<std::string>& Group::protocol_type() const { return std::as_const(*rebalance_).protocol_type(); }
const std::string& Group::leader() const { return rebalance_->members().leader(); }
size_t Group::member_count() const { return rebalance_->members().size(); }
size_t Group::pending_count() const { return rebalance_->members().handed_out().size(); }
bool Group::vacant() const { return state() == GroupState::kEmpty && pending_count() == 0; }
MonoTime Group::next_deadline() const { return rebalance_->next_deadline(); }
void Group::expire(GroupNow now, GroupEffects& effects) { rebalance_->expire(now, effects); }
void Group::begin_delete() { rebalance_->begin_delete(); }
void Group::cancel_delete(WallTime now) { rebalance_->cancel_delete(now); }
void Group::close(Code error, GroupEffects& effects) { rebalance_->close(error, effects); }
bool Group::uses_consumer_protocol() const { return rebalance_->consumer_group(); }
kafka::GroupMetadataValue Group::persistent() const { return rebalance_->record(); }

void Group::written(uint64_t token, Code error, GroupNow now, GroupEffects& effects) {
  rebalance_->written(token, error, now, effects);
}

// --- JoinGroup

void Group::join(JoinRequest request, Ticket ticket, GroupNow now, GroupEffects& effects) {
  drop_repeated(request.protocols);
  if (request.rebalance_timeout_ms < 0) request.rebalance_timeout_ms = request.session_timeout_ms;
  const bool is_new = request.member_id.empty();
  auto refuse = [&](Code error, std::string member_id) {
    effects.joins.emplace_back(ticket, join_error(error, std::move(member_id)));
  };
  if (!accepts(request.member_id)) {
    rebalance_->members().remove(request.member_id);
    return refuse(Code::kGroupMaxSizeReached, "");
  }
  // Dead: the group is being deleted, or the coordinator closes. The client looks for the coordinator again.
  if (state() == GroupState::kDead) return refuse(Code::kCoordinatorNotAvailable, request.member_id);
  if (!supports(request.protocol_type, request.protocols))
    return refuse(Code::kInconsistentGroupProtocol, request.member_id);
  if (is_new) return join_new(std::move(request), ticket, now, effects);
  return join_known(std::move(request), ticket, now, effects);
}

void Group::join_new(JoinRequest request, Ticket ticket, GroupNow now, GroupEffects& effects) {
  GroupMembers& members = rebalance_->members();
  if (request.instance_id && members.static_id(*request.instance_id))
    return replace_static(std::move(request), ticket, now, effects);
  std::string member_id = request.new_member_id;
  if (!request.instance_id && request.needs_known_member_id) {
    if (members.handed_out().size() >= rebalance_->limits().members_max) {
      effects.joins.emplace_back(ticket, join_error(Code::kGroupMaxSizeReached, ""));
      return;
    }
    const MonoTime until = now.mono + milliseconds(request.session_timeout_ms);
    members.handed_out()[member_id] = until;
    rebalance_->schedule(until);
    effects.joins.emplace_back(ticket, join_error(Code::kMemberIdRequired, std::move(member_id)));
    return;
  }
  add_member(std::move(request), std::move(member_id), ticket, now, effects);
}

void Group::join_known(JoinRequest request, Ticket ticket, GroupNow now, GroupEffects& effects) {
  GroupMembers& members = rebalance_->members();
  std::string member_id = request.member_id;
  if (members.handed_out().count(member_id) && !request.instance_id)
    return add_member(std::move(request), std::move(member_id), ticket, now, effects);
  MemberIdentity identity;
  identity.member_id = member_id;
  identity.instance_id = request.instance_id;
  if (Code error = members.check(identity); error != Code::kNone) {
    effects.joins.emplace_back(ticket, join_error(error, std::move(member_id)));
    return;
  }
  GroupMember& member = members.at(member_id);
  const bool same = member.protocols == request.protocols;
  const bool leads = members.leader() == member_id;
  // The same metadata again: the answer was lost, or a follower looks in. It gets the generation that there is.
  if (same && (state() == GroupState::kCompletingRebalance || (state() == GroupState::kStable && !leads))) {
    effects.joins.emplace_back(ticket, rebalance_->current_generation(member, leads));
    return;
  }
  // A leader that joins again wants a rebalance (the topics it sees have changed); others have new metadata.
  std::string reason = "member " + member_id + (same ? " joined again" : " changed its metadata") + " during " +
                       std::string(group_state_name(state())) + reason_text(request.reason);
  take_settings(members, member, request);
  members.wait_join(member, ticket, effects);
  rebalance_->joined(std::move(reason), now, effects);
}

bool Group::accepts(const std::string& member_id) const {
  const GroupMembers& members = rebalance_->members();
  const GroupMember* member = members.find(member_id);
  const size_t most = rebalance_->limits().members_max;
  switch (state()) {
    case GroupState::kEmpty:
    case GroupState::kDead:
      return true;
    // Those that wait are counted, not the members: the last ones to come back of a too large group are refused.
    case GroupState::kPreparingRebalance:
      return (member && member->join) || members.joined_count() < most;
    case GroupState::kCompletingRebalance:
    case GroupState::kStable:
      return member || members.size() < most;
  }
  return false;
}

bool Group::supports(const std::string& protocol_type, const std::vector<GroupProtocol>& protocols) const {
  if (state() == GroupState::kEmpty) return !protocol_type.empty() && !protocols.empty();
  return this->protocol_type() == protocol_type && rebalance_->members().all_support_one_of(protocols);
}

void Group::add_member(JoinRequest request, std::string member_id, Ticket ticket, GroupNow now, GroupEffects& effects) {
  GroupMembers& members = rebalance_->members();
  std::string reason = "new member " + member_id + reason_text(request.reason);
  GroupMember member;
  member.id = std::move(member_id);
  member.instance_id = std::move(request.instance_id);
  member.client_id = std::move(request.client_id);
  member.client_host = std::move(request.client_host);
  member.rebalance_timeout_ms = request.rebalance_timeout_ms;
  member.session_timeout_ms = request.session_timeout_ms;
  member.protocols = std::move(request.protocols);
  member.held = std::move(request.held);
  member.is_new = true;
  member.join = ticket;
  rebalance_->new_member_came();
  if (members.empty()) rebalance_->protocol_type() = std::move(request.protocol_type);
  GroupMember& added = members.add(std::move(member));
  // It cannot send heartbeats while its first join waits, and a closed connection is not seen. So it is removed after a
  // fixed time, and tries again if it is still there.
  rebalance_->keep_alive(added, rebalance_->limits().new_member_join_max, now);
  rebalance_->joined(std::move(reason), now, effects);
}

// A static member came back without its member id (its process restarted): it takes the place of its old self.
void Group::replace_static(JoinRequest request, Ticket ticket, GroupNow now, GroupEffects& effects) {
  GroupMembers& members = rebalance_->members();
  const std::string old_id = *members.static_id(*request.instance_id);
  const std::string new_id = request.new_member_id;
  GroupMember& old = members.at(old_id);
  members.answer_join(old, join_error(Code::kFencedInstanceId, old_id), effects);
  members.answer_sync(old, sync_error(Code::kFencedInstanceId), effects);
  GroupMember before = old;
  GroupMember& replaced = members.rename(old_id, new_id);
  replaced.pending_sync = false;
  take_settings(members, replaced, request);
  members.wait_join(replaced, ticket, effects);
  rebalance_->keep_alive(replaced, now);

  if (state() == GroupState::kStable) {
    if (rebalance_->protocol_name() ==
        members.select_protocol())  // nothing changes for the others: only the id is kept
      return rebalance_->write_replacement(new_id, std::move(before), request.can_skip_assignment, effects);
    return rebalance_->joined("static member " + new_id + " changes the selected protocol", now, effects);
  }
  // The leader may be assigning to the old id right now.
  if (state() == GroupState::kCompletingRebalance)
    return rebalance_->begin("static member " + new_id + " replaced " + old_id + reason_text(request.reason), now,
                             effects);
  rebalance_->complete_if_ready(now, effects);
}

// --- SyncGroup

void Group::sync(SyncRequest request, Ticket ticket, GroupNow now, GroupEffects& effects) {
  GroupMembers& members = rebalance_->members();
  const auto& protocol_name = rebalance_->protocol_name();
  auto refuse = [&](Code error) { effects.syncs.emplace_back(ticket, sync_error(error)); };
  if (state() == GroupState::kDead) return refuse(Code::kCoordinatorNotAvailable);
  if (Code error = members.check(request.member); error != Code::kNone) return refuse(error);
  if (request.generation != generation()) return refuse(Code::kIllegalGeneration);
  if (contradicts(request.protocol_type, protocol_type()) || contradicts(request.protocol_name, protocol_name))
    return refuse(Code::kInconsistentGroupProtocol);
  if (state() == GroupState::kEmpty) return refuse(Code::kUnknownMemberId);
  if (state() == GroupState::kPreparingRebalance) return refuse(Code::kRebalanceInProgress);

  GroupMember& member = members.at(request.member.member_id);
  rebalance_->synced(member);
  if (state() == GroupState::kStable) {
    SyncAnswer answer;
    answer.protocol_type = protocol_type();
    answer.protocol_name = protocol_name;
    answer.assignment = member.assignment;
    effects.syncs.emplace_back(ticket, std::move(answer));
    return;
  }
  // An older request of the same member. Its client does not wait for the answer any more.
  members.answer_sync(member, sync_error(Code::kRebalanceInProgress), effects);
  member.sync = ticket;
  if (members.leader() == member.id) rebalance_->assign(std::move(request.assignments), now, effects);
}

// --- heartbeats, commits, leaving

Code Group::heartbeat(const MemberIdentity& identity, int32_t generation, GroupNow now) {
  GroupMembers& members = rebalance_->members();
  if (state() == GroupState::kDead) return Code::kCoordinatorNotAvailable;
  if (Code error = members.check(identity); error != Code::kNone) return error;
  if (generation != this->generation()) return Code::kIllegalGeneration;
  rebalance_->keep_alive(members.at(identity.member_id), now);
  return state() == GroupState::kPreparingRebalance ? Code::kRebalanceInProgress : Code::kNone;
}

Code Group::check_commit(const MemberIdentity& identity, int32_t generation, GroupNow now) {
  GroupMembers& members = rebalance_->members();
  if (state() == GroupState::kDead) return Code::kCoordinatorNotAvailable;
  if (generation < 0 && state() == GroupState::kEmpty) return Code::kNone;
  if (generation < 0 && identity.member_id.empty() && !identity.instance_id) return Code::kUnknownMemberId;
  if (Code error = members.check(identity); error != Code::kNone) return error;
  if (generation != this->generation()) return Code::kIllegalGeneration;
  // Its generation is valid, so it has the answer of the join: it must get its assignment first.
  if (state() == GroupState::kCompletingRebalance) return Code::kRebalanceInProgress;
  rebalance_->keep_alive(members.at(identity.member_id), now);
  return Code::kNone;
}

std::vector<Code> Group::leave(const std::vector<MemberIdentity>& members, GroupNow now, GroupEffects& effects) {
  std::vector<Code> codes;
  bool any = false;
  for (const auto& each : members) {
    const Code code = leave_one(each, effects);
    any |= code == Code::kNone;
    codes.push_back(code);
  }
  if (any) rebalance_->left("members left", now, effects);
  return codes;
}

Code Group::leave_one(MemberIdentity identity, GroupEffects& effects) {
  GroupMembers& members = rebalance_->members();
  if (identity.member_id.empty() && identity.instance_id)  // an administrator names the instance only
    if (const std::string* id = members.static_id(*identity.instance_id)) identity.member_id = *id;
  if (state() == GroupState::kDead) return Code::kCoordinatorNotAvailable;
  if (members.handed_out().erase(identity.member_id) > 0) return Code::kNone;
  if (Code error = members.check(identity); error != Code::kNone) return error;
  effects.note(What::kMemberLeft, "member " + identity.member_id + " left" + reason_text(identity.reason));
  GroupMember& member = members.at(identity.member_id);
  members.answer_join(member, join_error(Code::kUnknownMemberId, ""), effects);
  members.answer_sync(member, sync_error(Code::kUnknownMemberId), effects);
  members.remove(identity.member_id);
  return Code::kNone;
}

// --- what others ask about the group

bool Group::subscribed_to(const std::string& topic) const {
  const auto& subscribed = rebalance_->subscribed();
  return subscribed ? subscribed->count(topic) != 0 : uses_consumer_protocol();
}

std::optional<int64_t> Group::unused_since(int64_t commit_ms) const {
  if (!protocol_type()) return commit_ms;
  const int64_t since_ms = rebalance_->state_since_ms();
  if (state() == GroupState::kEmpty) return since_ms >= 0 ? since_ms : commit_ms;
  if (uses_consumer_protocol() && rebalance_->subscribed() && state() == GroupState::kStable) return commit_ms;
  return std::nullopt;
}

GroupDescription Group::describe() const {
  GroupDescription out;
  const bool stable = state() == GroupState::kStable;
  const std::string protocol = rebalance_->protocol_name().value_or("");
  out.state = group_state_name(state());
  out.protocol_type = protocol_type().value_or("");
  if (stable) out.protocol = protocol;
  for (const auto& [id, member] : std::as_const(*rebalance_).members().all()) {
    GroupDescription::Member listed;
    listed.member_id = id;
    listed.instance_id = member.instance_id;
    listed.client_id = member.client_id;
    listed.client_host = member.client_host;
    if (stable) {
      listed.metadata = member.metadata(protocol);
      listed.assignment = member.assignment;
    }
    out.members.push_back(std::move(listed));
  }
  return out;
}

}  // namespace farshore::broker
