// Group: one classic consumer group, as a state machine without clock, log or waits. Its owner reports what happened
// and at what time, and carries out the effects. Behaviour and error codes are those that clients rely on in Apache
// Kafka 4.1's classic groups (KIP-62, KIP-134, KIP-345, KIP-394, KIP-800, KIP-814). This class answers the requests of
// members; internal/rebalance.h has the picture of the states, and internal/group_members.h the members.
//
// Executor: the owner's; no locks.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "broker/groups/group_effects.h"
#include "broker/groups/group_messages.h"
#include "broker/groups/group_state.h"
#include "proto/kafka/messages/group_records.h"

namespace farshore::broker {

class Rebalance;

class Group {
 public:
  Group(std::string id, GroupLimits limits, WallTime now);
  Group(Group&&) noexcept;
  ~Group();

  // Restores the group from its record: once, before anything else. Members' sessions begin now.
  void restore(const kafka::GroupMetadataValue& value, GroupNow now, GroupEffects& effects);

  // Counts the members that restore() brought, and nobody counted yet.
  void hold_members(const std::shared_ptr<Budget>& memory);
  // What the member that `request` names, by its id or as a static one, holds so far: its join takes the place of that.
  size_t held_bytes(const JoinRequest& request) const;

  const std::string& id() const { return id_; }
  GroupState state() const;
  int32_t generation() const;
  const std::optional<std::string>& protocol_type() const;
  const std::string& leader() const;
  size_t member_count() const;
  size_t pending_count() const;  // member ids that were handed out and not used yet
  bool vacant() const;           // no member, and nobody about to become one

  void join(JoinRequest request, Ticket ticket, GroupNow now, GroupEffects& effects);
  void sync(SyncRequest request, Ticket ticket, GroupNow now, GroupEffects& effects);
  kafka::ErrorCode heartbeat(const MemberIdentity& member, int32_t generation, GroupNow now);
  // One code for each of `members`, in order.
  std::vector<kafka::ErrorCode> leave(const std::vector<MemberIdentity>& members, GroupNow now, GroupEffects& effects);
  // Whether this member may commit offsets now; a commit also keeps the session alive. Generation -1 and no member id:
  // a client outside of group management, which may commit only while the group is Empty.
  kafka::ErrorCode check_commit(const MemberIdentity& member, int32_t generation, GroupNow now);

  // A write of effects.writes has ended: kNone when it is committed.
  void written(uint64_t token, kafka::ErrorCode error, GroupNow now, GroupEffects& effects);

  // expire() must be called at this time (or later); MonoTime::max(): not at all. May be too early, never too late.
  MonoTime next_deadline() const;
  void expire(GroupNow now, GroupEffects& effects);

  // Empty -> Dead, while tombstones are written; and back if they could not be.
  void begin_delete();
  void cancel_delete(WallTime now);
  // -> Dead; all who wait get `error`.
  void close(kafka::ErrorCode error, GroupEffects& effects);

  GroupDescription describe() const;
  // A consumer group whose members subscribe to `topic`, as far as it is known (else every topic).
  bool subscribed_to(const std::string& topic) const;
  bool uses_consumer_protocol() const;
  // From when an offset that was committed at `commit_ms` counts as unused (Unix ms). nullopt: it is in use.
  std::optional<int64_t> unused_since(int64_t commit_ms) const;
  // What a restart would read: for tests, and for the record of the current generation.
  kafka::GroupMetadataValue persistent() const;

 private:
  void join_new(JoinRequest request, Ticket ticket, GroupNow now, GroupEffects& effects);
  void join_known(JoinRequest request, Ticket ticket, GroupNow now, GroupEffects& effects);
  void add_member(JoinRequest request, std::string member_id, Ticket ticket, GroupNow now, GroupEffects& effects);
  void replace_static(JoinRequest request, Ticket ticket, GroupNow now, GroupEffects& effects);
  bool accepts(const std::string& member_id) const;
  bool supports(const std::string& protocol_type, const std::vector<GroupProtocol>& protocols) const;
  kafka::ErrorCode leave_one(MemberIdentity identity, GroupEffects& effects);

  std::string id_;
  std::unique_ptr<Rebalance> rebalance_;
};

}  // namespace farshore::broker
