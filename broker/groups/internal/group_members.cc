#include "broker/groups/internal/group_members.h"

#include <algorithm>
#include <utility>

#include "base/ensure.h"
#include "proto/kafka/messages/consumer_protocol.h"
#include "proto/kafka/wire.h"

namespace farshore::broker {
namespace {

using Code = kafka::ErrorCode;

}  // namespace

const kafka::Bytes& GroupMember::metadata(const std::string& protocol) const {
  static const kafka::Bytes none;
  for (const auto& each : protocols)
    if (each.name == protocol) return each.metadata;
  return none;
}

size_t GroupMember::memory_bytes() const {
  size_t bytes = sizeof(JoinRequest) + client_id.size() + client_host.size();
  if (instance_id) bytes += instance_id->size();
  for (const auto& protocol : protocols) bytes += sizeof(protocol) + protocol.name.size() + protocol.metadata.size();
  return bytes;
}

GroupMember* GroupMembers::find(const std::string& id) {
  auto it = members_.find(id);
  return it == members_.end() ? nullptr : &it->second;
}

const GroupMember* GroupMembers::find(const std::string& id) const {
  auto it = members_.find(id);
  return it == members_.end() ? nullptr : &it->second;
}

GroupMember& GroupMembers::add(GroupMember member) {
  const std::string id = member.id;
  if (leader_.empty()) leader_ = id;
  if (member.instance_id) static_ids_[*member.instance_id] = id;
  handed_out_.erase(id);
  auto [at, added] = members_.insert_or_assign(id, std::move(member));
  ensure(added, "a new member has a new id");
  count_protocols(at->second, +1);
  if (at->second.join) ++joined_count_;
  return at->second;
}

void GroupMembers::remove(const std::string& id) {
  handed_out_.erase(id);
  auto it = members_.find(id);
  if (it == members_.end()) return;
  count_protocols(it->second, -1);
  if (it->second.join) --joined_count_;
  if (it->second.instance_id) static_ids_.erase(*it->second.instance_id);
  members_.erase(it);
  if (leader_ == id) leader_ = members_.empty() ? "" : members_.begin()->first;
}

GroupMember& GroupMembers::rename(const std::string& id, std::string new_id) {
  const std::string old_id = id;
  GroupMember member = std::move(members_.at(old_id));
  members_.erase(old_id);
  member.id = new_id;
  static_ids_[*member.instance_id] = new_id;
  if (leader_ == old_id) leader_ = new_id;
  return members_.emplace(std::move(new_id), std::move(member)).first->second;
}

GroupMember& GroupMembers::undo_rename(const std::string& new_id, GroupMember before) {
  const std::string renamed = new_id;
  count_protocols(members_.at(renamed), -1);
  if (leader_ == renamed) leader_ = before.id;
  static_ids_[*before.instance_id] = before.id;
  members_.erase(renamed);
  std::string id = before.id;
  GroupMember& restored = members_.emplace(std::move(id), std::move(before)).first->second;
  count_protocols(restored, +1);
  return restored;
}

Code GroupMembers::check(const MemberIdentity& member) const {
  if (member.instance_id) {
    const std::string* id = static_id(*member.instance_id);
    if (!id) return Code::kUnknownMemberId;
    if (*id != member.member_id) return Code::kFencedInstanceId;
  }
  return members_.count(member.member_id) ? Code::kNone : Code::kUnknownMemberId;
}

const std::string* GroupMembers::static_id(const std::string& instance_id) const {
  auto it = static_ids_.find(instance_id);
  return it == static_ids_.end() ? nullptr : &it->second;
}

void GroupMembers::set_leader(std::string id) {
  leader_ = std::move(id);
  if (!members_.empty() && !members_.count(leader_)) leader_ = members_.begin()->first;
}

bool GroupMembers::elect_joined_leader() {
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

void GroupMembers::wait_join(GroupMember& member, Ticket ticket, GroupEffects& effects) {
  if (member.join)
    effects.joins.emplace_back(member.join, join_error(Code::kRebalanceInProgress, member.id));
  else
    ++joined_count_;
  member.join = ticket;
}

void GroupMembers::answer_join(GroupMember& member, JoinAnswer answer, GroupEffects& effects) {
  if (!member.join) return;
  effects.joins.emplace_back(std::exchange(member.join, 0), std::move(answer));
  --joined_count_;
}

void GroupMembers::answer_sync(GroupMember& member, SyncAnswer answer, GroupEffects& effects) {
  if (member.sync) effects.syncs.emplace_back(std::exchange(member.sync, 0), std::move(answer));
}

// --- protocols

void GroupMembers::set_protocols(GroupMember& member, std::vector<GroupProtocol> protocols) {
  count_protocols(member, -1);
  member.protocols = std::move(protocols);
  count_protocols(member, +1);
}

void GroupMembers::count_protocols(const GroupMember& member, int by) {
  for (const auto& protocol : member.protocols) {
    auto& count = protocol_members_[protocol.name];
    count = static_cast<size_t>(static_cast<int64_t>(count) + by);
    if (count == 0) protocol_members_.erase(protocol.name);
  }
}

bool GroupMembers::all_support_one_of(const std::vector<GroupProtocol>& protocols) const {
  return std::any_of(protocols.begin(), protocols.end(), [&](const GroupProtocol& protocol) {
    auto it = protocol_members_.find(protocol.name);
    return (it == protocol_members_.end() ? 0 : it->second) == members_.size();
  });
}

std::string GroupMembers::select_protocol() const {
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

Duration GroupMembers::rebalance_timeout() const {
  int32_t longest = 0;
  for (const auto& [id, member] : members_) longest = std::max(longest, member.rebalance_timeout_ms);
  return milliseconds(longest);
}

// The metadata of a consumer group is the members' own format, but all its versions begin with the topics.
std::optional<std::set<std::string>> GroupMembers::subscriptions(const std::optional<std::string>& protocol) const {
  std::set<std::string> topics;
  for (const auto& [id, member] : members_) {
    if (!protocol) return std::nullopt;
    kafka::Reader reader(ConstBytes(member.metadata(*protocol)));
    reader.i16();
    auto subscription = kafka::ConsumerProtocolSubscription::decode(reader, 0);
    if (!subscription) return std::nullopt;
    topics.insert(subscription->topics.begin(), subscription->topics.end());
  }
  return topics;
}

// --- records

void GroupMembers::save(const std::string& protocol, const Assignments* assignments,
                        kafka::GroupMetadataValue& to) const {
  for (const auto& [id, member] : members_) {
    auto& saved = to.members.emplace_back();
    saved.member_id = id;
    saved.group_instance_id = member.instance_id;
    saved.client_id = member.client_id;
    saved.client_host = member.client_host;
    saved.rebalance_timeout = member.rebalance_timeout_ms;
    saved.session_timeout = member.session_timeout_ms;
    saved.subscription = member.metadata(protocol);
    saved.assignment = assignments ? assignments->at(id) : member.assignment;
  }
}

void GroupMembers::restore(const kafka::GroupMetadataValue& from) {
  for (const auto& saved : from.members) {
    if (members_.count(saved.member_id)) continue;
    GroupMember member;
    member.id = saved.member_id;
    member.instance_id = saved.group_instance_id;
    member.client_id = saved.client_id;
    member.client_host = saved.client_host;
    member.session_timeout_ms = saved.session_timeout;
    member.rebalance_timeout_ms = saved.rebalance_timeout == -1 ? saved.session_timeout : saved.rebalance_timeout;
    GroupProtocol protocol;
    protocol.name = from.protocol.value_or("");
    protocol.metadata = saved.subscription;
    member.protocols.push_back(std::move(protocol));
    member.assignment = saved.assignment;
    add(std::move(member));
  }
  set_leader(from.leader.value_or(""));
}

}  // namespace farshore::broker
