// For tests: a group whose clock the test moves, and whose answers are kept by ticket.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "broker/groups/group.h"

namespace farshore::broker {

using Code = kafka::ErrorCode;

inline kafka::Bytes bytes(std::string_view text) {
  auto view = as_bytes(text);
  return kafka::Bytes(view.begin(), view.end());
}

inline MemberIdentity identity(std::string member_id, std::optional<std::string> instance_id = std::nullopt) {
  MemberIdentity out;
  out.member_id = std::move(member_id);
  out.instance_id = std::move(instance_id);
  return out;
}

class GroupTest : public ::testing::Test {
 protected:
  GroupTest() { make(); }

  void make(GroupLimits limits = {}) {
    limits_ = limits;
    group_.emplace("g", limits, now_.wall);
  }

  JoinRequest request(std::string member_id = "") {
    JoinRequest out;
    out.member_id = std::move(member_id);
    out.client_id = "client";
    out.client_host = "/10.0.0.1";
    out.session_timeout_ms = 10000;
    out.rebalance_timeout_ms = 60000;
    out.protocol_type = "consumer";
    out.protocols = {protocol("range", "topics-a")};
    out.new_member_id = "m" + std::to_string(++members_made_);
    return out;
  }
  static GroupProtocol protocol(std::string name, std::string_view metadata) {
    GroupProtocol out;
    out.name = std::move(name);
    out.metadata = bytes(metadata);
    return out;
  }

  Ticket join(JoinRequest request) {
    GroupEffects effects;
    group_->join(std::move(request), ++ticket_, now_, effects);
    take(effects);
    return ticket_;
  }
  Ticket sync(std::string member_id, int32_t generation,
              std::vector<std::pair<std::string, kafka::Bytes>> assignments = {},
              std::optional<std::string> instance_id = std::nullopt) {
    SyncRequest out;
    out.member = identity(std::move(member_id), std::move(instance_id));
    out.generation = generation;
    out.assignments = std::move(assignments);
    GroupEffects effects;
    group_->sync(std::move(out), ++ticket_, now_, effects);
    take(effects);
    return ticket_;
  }
  std::vector<Code> leave(std::vector<MemberIdentity> members) {
    GroupEffects effects;
    auto codes = group_->leave(members, now_, effects);
    take(effects);
    return codes;
  }
  // Lets time pass, with every deadline on the way.
  void pass(Duration time) {
    const MonoTime until = now_.mono + time;
    while (group_->next_deadline() <= until) {
      move_to(std::max(now_.mono, group_->next_deadline()));
      GroupEffects effects;
      group_->expire(now_, effects);
      take(effects);
    }
    move_to(until);
  }
  void write_all(Code code = Code::kNone) {
    auto writes = std::exchange(writes_, {});
    for (auto& write : writes) {
      GroupEffects effects;
      group_->written(write.token, code, now_, effects);
      if (code == Code::kNone) log_ = write.value;
      take(effects);
    }
  }
  void take(GroupEffects& effects) {
    for (auto& [ticket, answer] : effects.joins) {
      ASSERT_TRUE(joins_.emplace(ticket, answer).second) << "join answered twice";
    }
    for (auto& [ticket, answer] : effects.syncs) {
      ASSERT_TRUE(syncs_.emplace(ticket, answer).second) << "sync answered twice";
    }
    for (auto& write : effects.writes) writes_.push_back(write);
  }
  void move_to(MonoTime at) {
    now_.wall.milliseconds_since_epoch += std::chrono::duration_cast<milliseconds>(at - now_.mono).count();
    now_.mono = at;
  }

  bool joined(Ticket ticket) const { return joins_.count(ticket) != 0; }
  bool synced(Ticket ticket) const { return syncs_.count(ticket) != 0; }
  const JoinAnswer& join_answer(Ticket ticket) { return joins_.at(ticket); }
  const SyncAnswer& sync_answer(Ticket ticket) { return syncs_.at(ticket); }
  Code join_code(Ticket ticket) { return joins_.at(ticket).error; }
  Code sync_code(Ticket ticket) { return syncs_.at(ticket).error; }

  // `count` dynamic members m1..mN, Stable, each with its own assignment; m1 leads.
  void stabilize(int count) {
    std::vector<Ticket> tickets;
    for (int i = 0; i < count; ++i) tickets.push_back(join(request()));
    pass(limits_.initial_rebalance_delay * 2);
    finish(tickets);
  }
  // Everybody syncs what the joins answered.
  void finish(const std::vector<Ticket>& tickets) {
    std::vector<std::pair<std::string, kafka::Bytes>> assignments;
    for (Ticket ticket : tickets)
      assignments.emplace_back(join_answer(ticket).member_id, bytes("of-" + join_answer(ticket).member_id));
    for (Ticket ticket : tickets) {
      const JoinAnswer& answer = join_answer(ticket);
      ASSERT_EQ(answer.error, Code::kNone);
      sync(answer.member_id, answer.generation,
           answer.leader == answer.member_id ? assignments : decltype(assignments)());
    }
    write_all();
    ASSERT_EQ(group_->state(), GroupState::kStable);
  }

  GroupLimits limits_;
  GroupNow now_{MonoTime(seconds(1000)), WallTime{1700000000000}};
  std::optional<Group> group_;
  int members_made_ = 0;
  Ticket ticket_ = 0;
  std::map<Ticket, JoinAnswer> joins_;
  std::map<Ticket, SyncAnswer> syncs_;
  std::vector<GroupEffects::Write> writes_;
  std::optional<kafka::GroupMetadataValue> log_;  // what was written last
};

}  // namespace farshore::broker
