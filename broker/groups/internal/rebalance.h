// Rebalance: the state machine of one group: from its members' joins to a generation, and from the leader's assignment
// to a stable group. It keeps the group's state, generation, deadlines, and the writes that are under way.
//
//                 join                     all joined, or time is up                leader's sync, written
//      Empty ------------> PreparingRebalance ------------------> CompletingRebalance ------------------> Stable
//        ^                   |           ^ ^                               |                                |
//        +- no member left --+           | +-- join, leave, lost member ---+                                |
//                                        +---- join, leave, lost member ------------------------------------+
//      Dead: being deleted, or the coordinator is closing.
//
// Executor: the owner's; no clock, no I/O. Owner: Group.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "base/time.h"
#include "broker/groups/group_effects.h"
#include "broker/groups/group_state.h"
#include "broker/groups/internal/group_members.h"

namespace farshore::broker {

class Rebalance {
 public:
  Rebalance(GroupLimits limits, WallTime now) : limits_(limits), state_since_ms_(now.milliseconds_since_epoch) {}

  GroupMembers& members() { return members_; }
  const GroupMembers& members() const { return members_; }
  const GroupLimits& limits() const { return limits_; }
  GroupState state() const { return state_; }
  int64_t state_since_ms() const { return state_since_ms_; }  // Unix time; -1: a record of an old version did not say
  int32_t generation() const { return generation_; }
  std::optional<std::string>& protocol_type() { return protocol_type_; }
  const std::optional<std::string>& protocol_type() const { return protocol_type_; }
  const std::optional<std::string>& protocol_name() const { return protocol_name_; }
  bool consumer_group() const { return protocol_type_ == "consumer"; }
  const std::optional<std::set<std::string>>& subscribed() const { return subscribed_; }  // nullopt: not known

  void restore(const kafka::GroupMetadataValue& value, GroupNow now, GroupEffects& effects);
  // What a restart would read. `assignments`: instead of the members' own.
  kafka::GroupMetadataValue record(const GroupMembers::Assignments* assignments = nullptr) const;

  // A member has joined, or has changed: begins a rebalance, or completes the one under way if all have joined.
  void joined(std::string reason, GroupNow now, GroupEffects& effects);
  void begin(std::string reason, GroupNow now, GroupEffects& effects);
  void complete_if_ready(GroupNow now, GroupEffects& effects);
  // Members have left.
  void left(std::string reason, GroupNow now, GroupEffects& effects);
  void new_member_came();  // prolongs the delay of an initial rebalance

  // The member has asked for its assignment.
  void synced(GroupMember& member);
  // The leader's assignment of this generation, to be written. Members that it leaves out get nothing.
  void assign(std::vector<std::pair<std::string, kafka::Bytes>> assignments, GroupNow now, GroupEffects& effects);
  // Writes the new id of a static member in a stable group. Its JoinGroup waits for that.
  void write_replacement(std::string member_id, GroupMember before, bool can_skip_assignment, GroupEffects& effects);
  void written(uint64_t token, kafka::ErrorCode error, GroupNow now, GroupEffects& effects);

  // The current generation as the answer to a JoinGroup of `member`.
  JoinAnswer current_generation(const GroupMember& member, bool with_members) const;

  void keep_alive(GroupMember& member, Duration session, GroupNow now);
  void keep_alive(GroupMember& member, GroupNow now) {
    keep_alive(member, milliseconds(member.session_timeout_ms), now);
  }
  void schedule(MonoTime at) { next_deadline_ = std::min(next_deadline_, at); }
  MonoTime next_deadline() const { return next_deadline_; }
  void expire(GroupNow now, GroupEffects& effects);

  void begin_delete();
  void cancel_delete(WallTime now);
  void close(kafka::ErrorCode error, GroupEffects& effects);

 private:
  struct PendingWrite {  // what happens once it is in the log
    enum class Kind : uint8_t { kAssignment, kEmpty, kStaticReplacement } kind = Kind::kEmpty;
    int32_t generation = 0;
    GroupMembers::Assignments assignments;  // kAssignment
    std::string member_id;                  // kStaticReplacement: the new id
    std::optional<GroupMember> before;      // ... and the member that it replaced
    bool can_skip_assignment = false;
  };
  enum class JoinTimer : uint8_t { kNone, kInitialDelay, kRebalance };

  void complete(GroupNow now, GroupEffects& effects);
  void next_generation(GroupNow now);
  void propagate_assignments(kafka::ErrorCode error, GroupNow now, GroupEffects& effects);
  void written_assignment(PendingWrite& pending, kafka::ErrorCode error, GroupNow now, GroupEffects& effects);
  void written_replacement(PendingWrite& pending, kafka::ErrorCode error, GroupNow now, GroupEffects& effects);
  void expire_join(GroupNow now, GroupEffects& effects);
  void expire_sync(GroupNow now, GroupEffects& effects);
  void expire_sessions(GroupNow now, GroupEffects& effects);
  void lose_member(const std::string& member_id, std::string reason, GroupNow now, GroupEffects& effects);
  void write(PendingWrite pending, kafka::GroupMetadataValue value, GroupEffects& effects);
  void transition(GroupState to, WallTime now);
  void find_subscriptions();

  GroupLimits limits_;
  GroupMembers members_;
  GroupState state_ = GroupState::kEmpty;
  bool initial_ = false;           // PreparingRebalance that began in Empty: waits out the delay
  bool new_member_added_ = false;  // ... which each new member prolongs
  int64_t state_since_ms_ = -1;
  int32_t generation_ = 0;
  std::optional<std::string> protocol_type_, protocol_name_;
  std::optional<std::set<std::string>> subscribed_;

  JoinTimer join_timer_ = JoinTimer::kNone;
  MonoTime join_at_ = MonoTime::max();
  Duration delay_{}, delay_left_{};  // of the initial rebalance: this round, and what may follow
  MonoTime sync_at_ = MonoTime::max();
  MonoTime next_deadline_ = MonoTime::max();

  uint64_t last_token_ = 0;
  std::map<uint64_t, PendingWrite> writes_;
};

}  // namespace farshore::broker
