#include "broker/groups/internal/group_members.h"

#include <gtest/gtest.h>

#include <utility>

namespace farshore::broker {
namespace {

using Code = kafka::ErrorCode;

GroupMember member(std::string id, std::vector<std::string> protocols, std::optional<std::string> instance_id = {}) {
  GroupMember out;
  out.id = std::move(id);
  out.instance_id = std::move(instance_id);
  for (auto& name : protocols) {
    GroupProtocol protocol;
    protocol.name = std::move(name);
    out.protocols.push_back(std::move(protocol));
  }
  return out;
}

MemberIdentity identity(std::string id, std::optional<std::string> instance_id = {}) {
  MemberIdentity out;
  out.member_id = std::move(id);
  out.instance_id = std::move(instance_id);
  return out;
}

TEST(GroupMembers, FirstMemberLeadsAndTheFirstByIdFollows) {
  GroupMembers members;
  members.add(member("b", {"range"}));
  members.add(member("c", {"range"}));
  members.add(member("a", {"range"}));
  EXPECT_EQ(members.leader(), "b");
  members.remove("b");
  EXPECT_EQ(members.leader(), "a");
  members.remove("a");
  members.remove("c");
  EXPECT_EQ(members.leader(), "");
}

TEST(GroupMembers, OnlyProtocolsOfAllMembersAreSelected) {
  GroupMembers members;
  members.add(member("a", {"sticky", "range"}));
  members.add(member("b", {"range"}));
  EXPECT_EQ(members.select_protocol(), "range");
  EXPECT_FALSE(members.all_support_one_of(member("", {"sticky"}).protocols));
  members.remove("b");
  EXPECT_EQ(members.select_protocol(), "sticky");
  EXPECT_TRUE(members.all_support_one_of(member("", {"sticky"}).protocols));
}

TEST(GroupMembers, WaitingJoinsAreCountedAndAnsweredOnce) {
  GroupMembers members;
  GroupEffects effects;
  GroupMember& a = members.add(member("a", {"range"}));
  EXPECT_FALSE(members.all_joined());
  members.wait_join(a, 1, effects);
  EXPECT_TRUE(members.all_joined());
  members.wait_join(a, 2, effects);  // the older one is answered
  ASSERT_EQ(effects.joins.size(), 1u);
  EXPECT_EQ(effects.joins[0].first, 1u);
  EXPECT_EQ(effects.joins[0].second.error, Code::kRebalanceInProgress);
  members.answer_join(a, JoinAnswer(), effects);
  members.answer_join(a, JoinAnswer(), effects);
  EXPECT_EQ(effects.joins.size(), 2u);
  EXPECT_EQ(members.joined_count(), 0u);
}

TEST(GroupMembers, RenamedStaticMemberKeepsTheLeadAndFencesItsOldId) {
  GroupMembers members;
  members.add(member("old", {"range"}, "i"));
  GroupMember before = members.at("old");
  members.rename("old", "new");
  EXPECT_EQ(members.leader(), "new");
  EXPECT_EQ(members.check(identity("new", "i")), Code::kNone);
  EXPECT_EQ(members.check(identity("old", "i")), Code::kFencedInstanceId);
  EXPECT_EQ(members.check(identity("old")), Code::kUnknownMemberId);
  members.set_protocols(members.at("new"), member("", {"sticky"}).protocols);
  members.undo_rename("new", std::move(before));
  EXPECT_EQ(members.leader(), "old");
  EXPECT_EQ(members.check(identity("old", "i")), Code::kNone);
  EXPECT_EQ(members.select_protocol(), "range");
  EXPECT_EQ(members.size(), 1u);
}

}  // namespace
}  // namespace farshore::broker
