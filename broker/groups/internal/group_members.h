// GroupMembers: the members of one group: ids, static ids, protocols, the leader, and whose JoinGroup and SyncGroup
// wait. It keeps the counts by which Rebalance decides when a rebalance begins and ends.
// Executor: the owner's; no clock, no I/O.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/time.h"
#include "broker/groups/group_effects.h"
#include "broker/groups/group_messages.h"
#include "proto/kafka/messages/group_records.h"

namespace farshore::broker {

struct GroupMember {
  std::string id;
  std::optional<std::string> instance_id;
  std::string client_id, client_host;
  int32_t rebalance_timeout_ms = 0, session_timeout_ms = 0;
  std::vector<GroupProtocol> protocols;
  std::shared_ptr<HeldMemory> held;  // null: nothing of its memory is counted
  kafka::Bytes assignment;
  Ticket join = 0, sync = 0;  // waiting requests
  bool is_new = false;        // has not seen its member id yet: cannot send heartbeats
  bool pending_sync = false;  // got a generation, has not asked for its assignment
  MonoTime session_end = MonoTime::max();
  const kafka::Bytes& metadata(const std::string& protocol) const;  // empty: the member does not support it
  size_t memory_bytes() const;                                      // counted like a JoinRequest with these settings
};

class GroupMembers {
 public:
  using Map = std::map<std::string, GroupMember>;
  using Assignments = std::map<std::string, kafka::Bytes>;

  Map& all() { return members_; }
  const Map& all() const { return members_; }
  bool empty() const { return members_.empty(); }
  size_t size() const { return members_.size(); }
  GroupMember* find(const std::string& id);
  const GroupMember* find(const std::string& id) const;
  GroupMember& at(const std::string& id) { return members_.at(id); }

  // The new member leads if nobody does. Its id is not one of a member.
  GroupMember& add(GroupMember member);
  // A member, or an id that was handed out. A leader that goes is followed by the first member by id.
  void remove(const std::string& id);
  // A static member takes another id, and keeps everything else; also the lead.
  GroupMember& rename(const std::string& id, std::string new_id);
  // Undoes rename(): `before` is the member as it was.
  GroupMember& undo_rename(const std::string& new_id, GroupMember before);
  // UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID.
  kafka::ErrorCode check(const MemberIdentity& member) const;
  // The id of the static member with this group.instance.id (KIP-345); nullptr: none.
  const std::string* static_id(const std::string& instance_id) const;

  const std::string& leader() const { return leader_; }  // empty: none
  // Restored from a record; the first member by id if there is no such member.
  void set_leader(std::string id);
  // A member that has joined leads: the leader, or else the first by id. False: the group has no leader, or nobody has
  // joined.
  bool elect_joined_leader();

  // Member ids that were handed out and not used yet (KIP-394), until when.
  std::map<std::string, MonoTime>& handed_out() { return handed_out_; }
  const std::map<std::string, MonoTime>& handed_out() const { return handed_out_; }

  // A JoinGroup of the member waits from now on. An older one, which nobody waits for any more, gets
  // REBALANCE_IN_PROGRESS.
  void wait_join(GroupMember& member, Ticket ticket, GroupEffects& effects);
  void answer_join(GroupMember& member, JoinAnswer answer, GroupEffects& effects);  // if one waits
  static void answer_sync(GroupMember& member, SyncAnswer answer, GroupEffects& effects);
  size_t joined_count() const { return joined_count_; }  // members whose JoinGroup waits
  bool all_joined() const { return joined_count_ == members_.size() && handed_out_.empty(); }

  void set_protocols(GroupMember& member, std::vector<GroupProtocol> protocols);
  bool all_support_one_of(const std::vector<GroupProtocol>& protocols) const;
  // Each member votes for the first of its protocols that all members support. Most votes win, then the first by name.
  std::string select_protocol() const;
  Duration rebalance_timeout() const;  // the longest of the members'
  // The topics that the members of a consumer group subscribe to with `protocol`; nullopt: they cannot be read.
  std::optional<std::set<std::string>> subscriptions(const std::optional<std::string>& protocol) const;

  // For the record of a generation: as Kafka keeps them. `assignments`: instead of the members' own.
  void save(const std::string& protocol, const Assignments* assignments, kafka::GroupMetadataValue& to) const;
  void restore(const kafka::GroupMetadataValue& from);

 private:
  void count_protocols(const GroupMember& member, int by);

  Map members_;
  std::string leader_;
  std::map<std::string, MonoTime> handed_out_;
  std::map<std::string, std::string> static_ids_;   // group.instance.id -> member id
  std::map<std::string, size_t> protocol_members_;  // protocol -> members that support it
  size_t joined_count_ = 0;
};

}  // namespace farshore::broker
