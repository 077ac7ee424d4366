// One classic consumer group as a state machine: no clock, no log, no wait inside. Its owner tells it what happened and
// at what time, and carries out the effects. Behaviour and error codes are those that real clients rely on in Apache
// Kafka 4.1's classic groups (KIP-62, KIP-134, KIP-345, KIP-394, KIP-800, KIP-814).
//
//                 join                     all joined, or time is up                leader's sync, written
//      Empty ------------> PreparingRebalance ------------------> CompletingRebalance ------------------> Stable
//        ^                   |           ^ ^                               |                                |
//        +-- nobody is left -+           | +-- join, leave, lost member ---+                                |
//                                        +---- join, leave, lost member ------------------------------------+
//      Dead: being deleted, or the coordinator is closing.
//
// Executor: the owner's; no locks.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "broker/groups/group_messages.h"
#include "proto/kafka/messages/group_records.h"

namespace farshore::broker {

enum class GroupState : uint8_t { kEmpty, kPreparingRebalance, kCompletingRebalance, kStable, kDead };
std::string_view group_state_name(GroupState state);  // as Kafka's tools spell it

struct GroupLimits {
  Duration initial_rebalance_delay = seconds(3);  // group.initial.rebalance.delay.ms
  Duration new_member_join_max = minutes(5);      // a new member whose client is gone stops counting
  size_t members_max = 10000;                     // group.max.size; also of those that only hold a member id
};

// What the owner does next, in any order. A ticket names one waiting request; it is answered exactly once.
struct GroupEffects {
  // `value` is to be appended to the log; then written(token, ...) is called, in the order of the log.
  struct Write {
    uint64_t token = 0;
    kafka::GroupMetadataValue value;
  };
  std::vector<std::pair<Ticket, JoinAnswer>> joins;
  std::vector<std::pair<Ticket, SyncAnswer>> syncs;
  std::vector<Write> writes;
  struct Note {  // for the log file and the metrics
    enum class What : uint8_t { kRebalance, kMemberLost, kMemberLeft } what;
    std::string text;
  };
  std::vector<Note> notes;
  void note(Note::What what, std::string text) {
    Note note;
    note.what = what;
    note.text = std::move(text);
    notes.push_back(std::move(note));
  }
};

class Group {
 public:
  Group(std::string id, GroupLimits limits, WallTime now);

  // What the log says of this group, once, before anything else; members' sessions begin now.
  void restore(const kafka::GroupMetadataValue& value, GroupNow now, GroupEffects& effects);

  const std::string& id() const { return id_; }
  GroupState state() const { return state_; }
  int32_t generation() const { return generation_; }
  const std::optional<std::string>& protocol_type() const { return protocol_type_; }
  const std::string& leader() const { return leader_; }
  size_t member_count() const { return members_.size(); }
  size_t pending_count() const { return pending_.size(); }
  // No member, and nobody about to become one.
  bool vacant() const { return state_ == GroupState::kEmpty && pending_.empty(); }

  void join(JoinRequest request, Ticket ticket, GroupNow now, GroupEffects& effects);
  void sync(SyncRequest request, Ticket ticket, GroupNow now, GroupEffects& effects);
  kafka::ErrorCode heartbeat(const MemberIdentity& member, int32_t generation, GroupNow now);
  // One code for each of `members`, in order.
  std::vector<kafka::ErrorCode> leave(const std::vector<MemberIdentity>& members, GroupNow now, GroupEffects& effects);
  // Whether these may commit offsets now; a commit also keeps the session alive. Generation -1 and no member id: a
  // client outside of group management, which may write only while the group is Empty.
  kafka::ErrorCode check_commit(const MemberIdentity& member, int32_t generation, GroupNow now);

  // A write of effects.writes has ended: kNone when it is committed.
  void written(uint64_t token, kafka::ErrorCode error, GroupNow now, GroupEffects& effects);

  // expire() must be called at this time (or later); MonoTime::max(): not at all. May be too early, never too late.
  MonoTime next_deadline() const { return next_deadline_; }
  void expire(GroupNow now, GroupEffects& effects);

  // Empty -> Dead, while tombstones are written; and back if they could not be.
  void begin_delete();
  void cancel_delete(WallTime now);
  // -> Dead; all who wait get `error`.
  void close(kafka::ErrorCode error, GroupEffects& effects);

  GroupDescription describe() const;
  // A consumer group whose members subscribe to `topic`, as far as it is known (else every topic).
  bool subscribed_to(const std::string& topic) const;
  bool uses_consumer_protocol() const { return protocol_type_ == "consumer"; }
  // From when an offset that was committed at `commit_ms` counts as unused (Unix ms). nullopt: it is in use.
  std::optional<int64_t> unused_since(int64_t commit_ms) const;
  // What a restart would read: for tests, and for the record of the current generation.
  kafka::GroupMetadataValue persistent() const;

 private:
  struct Member {
    std::string id;
    std::optional<std::string> instance_id;
    std::string client_id, client_host;
    int32_t rebalance_timeout_ms = 0, session_timeout_ms = 0;
    std::vector<GroupProtocol> protocols;
    kafka::Bytes assignment;
    Ticket join = 0, sync = 0;  // waiting requests
    bool is_new = false;        // has not seen its member id yet: cannot send heartbeats
    bool pending_sync = false;  // got a generation, has not asked for its assignment
    MonoTime session_end = MonoTime::max();
    const kafka::Bytes& metadata(const std::string& protocol) const;
  };
  struct PendingWrite {  // what happens once it is in the log
    enum class Kind : uint8_t { kAssignment, kEmpty, kStaticReplacement } kind = Kind::kEmpty;
    int32_t generation = 0;
    std::map<std::string, kafka::Bytes> assignments;  // kAssignment
    std::string member_id;                            // kStaticReplacement: the new one
    std::optional<Member> before;                     // ... and what it replaced
    bool can_skip_assignment = false;
  };
  enum class JoinTimer : uint8_t { kNone, kInitialDelay, kRebalance };

  void join_new(JoinRequest request, Ticket ticket, GroupNow now, GroupEffects& effects);
  void join_known(JoinRequest request, Ticket ticket, GroupNow now, GroupEffects& effects);
  void add_member(JoinRequest request, std::string member_id, Ticket ticket, GroupNow now, GroupEffects& effects);
  void update_member(Member& member, JoinRequest& request, Ticket ticket, GroupEffects& effects);
  void replace_static(JoinRequest request, Ticket ticket, GroupNow now, GroupEffects& effects);
  bool accepts(const std::string& member_id) const;
  bool supports(const std::string& protocol_type, const std::vector<GroupProtocol>& protocols) const;
  kafka::ErrorCode check_member(const MemberIdentity& member) const;

  void rebalance_or_complete(std::string reason, GroupNow now, GroupEffects& effects);
  void prepare_rebalance(std::string reason, GroupNow now, GroupEffects& effects);
  void complete_join_if_ready(GroupNow now, GroupEffects& effects);
  void complete_join(GroupNow now, GroupEffects& effects);
  bool elect_joined_leader();
  void next_generation(GroupNow now);
  void propagate_assignments(kafka::ErrorCode error, GroupNow now, GroupEffects& effects);
  void lose_member(const std::string& member_id, std::string reason, GroupNow now, GroupEffects& effects);
  void expire_pending_sync(GroupNow now, GroupEffects& effects);
  void remove(const std::string& member_id);
  void answer_join(Member& member, JoinAnswer answer, GroupEffects& effects);
  void answer_sync(Member& member, SyncAnswer answer, GroupEffects& effects);
  JoinAnswer current_generation(const Member& member, bool with_members) const;
  void write(PendingWrite pending, kafka::GroupMetadataValue value, GroupEffects& effects);
  kafka::GroupMetadataValue value_with(const std::map<std::string, kafka::Bytes>* assignments) const;

  void transition(GroupState to, WallTime now);
  void keep_alive(Member& member, Duration session, GroupNow now);
  void keep_alive(Member& member, GroupNow now) { keep_alive(member, milliseconds(member.session_timeout_ms), now); }
  void schedule(MonoTime at) { next_deadline_ = std::min(next_deadline_, at); }
  Duration rebalance_timeout() const;
  std::string select_protocol() const;
  void count_protocols(const Member& member, int by);
  void find_subscriptions();
  bool all_joined() const { return joined_count_ == members_.size() && pending_.empty(); }
  bool static_member(const std::string& instance_id) const { return static_ids_.count(instance_id) != 0; }

  const std::string id_;
  const GroupLimits limits_;
  GroupState state_ = GroupState::kEmpty;
  bool initial_rebalance_ = false;  // PreparingRebalance that began in Empty: waits out the delay
  bool new_member_added_ = false;   // ... which is prolonged by each new member
  int64_t state_since_ms_ = -1;     // Unix time; -1: a record of an old version did not say
  int32_t generation_ = 0;
  std::optional<std::string> protocol_type_, protocol_name_;
  std::string leader_;  // empty: none
  std::map<std::string, Member> members_;
  std::map<std::string, MonoTime> pending_;          // member ids handed out (KIP-394), until when
  std::map<std::string, std::string> static_ids_;    // group.instance.id -> member id
  std::map<std::string, size_t> protocol_members_;   // protocol -> members that support it
  size_t joined_count_ = 0;                          // members whose JoinGroup waits
  std::optional<std::set<std::string>> subscribed_;  // topics; nullopt: not known

  JoinTimer join_timer_ = JoinTimer::kNone;
  MonoTime join_at_ = MonoTime::max();
  Duration delay_{}, delay_left_{};  // of the initial rebalance: this round, and what may follow
  MonoTime sync_at_ = MonoTime::max();
  MonoTime next_deadline_ = MonoTime::max();

  uint64_t last_token_ = 0;
  std::map<uint64_t, PendingWrite> writes_;
};

}  // namespace farshore::broker
