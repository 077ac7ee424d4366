#include "proto/link/keys.h"

#include <gtest/gtest.h>

namespace farshore {
namespace {

using Kind = LinkKey::Kind;

LinkKey key(Kind kind, std::string link, std::string child) {
  LinkKey out;
  out.kind = kind;
  out.link = std::move(link);
  out.child = std::move(child);
  return out;
}

TEST(LinkKeys, EachKeyParsesBackToItsParts) {
  EXPECT_EQ(parse_link_key(link_key("east-to-west")), key(Kind::kLink, "east-to-west", ""));
  EXPECT_EQ(parse_link_key(group_memory_key("l", "readers")), key(Kind::kGroupMemory, "l", "readers"));
  EXPECT_EQ(parse_link_key(relay_topic_key("l", "orders.v2")), key(Kind::kRelayTopic, "l", "orders.v2"));
  EXPECT_EQ(parse_link_key(end_report_key("l", "orders.v2")), key(Kind::kEndReport, "l", "orders.v2"));
  EXPECT_EQ(parse_link_key(loss_report_key("l", "orders.v2")), key(Kind::kLossReport, "l", "orders.v2"));
}

// libfarshore used to take this for a topic of a link "l/group/readers", and could then read no relay topic at all.
TEST(LinkKeys, GroupIdWithSlashesIsNoRelayTopic) {
  EXPECT_EQ(parse_link_key("link/l/group/readers/topic/x"), key(Kind::kGroupMemory, "l", "readers/topic/x"));
}

TEST(LinkKeys, UnknownKeysAreOther) {
  EXPECT_EQ(parse_link_key("controller"), LinkKey());
  EXPECT_EQ(parse_link_key("other/l/topic/t"), LinkKey());
  EXPECT_EQ(parse_link_key("link/l/acl/x"), key(Kind::kOther, "l", ""));
}

TEST(LinkKeys, ChildrenOfALinkBeginWithItsPrefixAndThoseOfALongerNameDoNot) {
  EXPECT_TRUE(group_memory_key("a", "g").starts_with(link_children_prefix("a")));
  EXPECT_FALSE(group_memory_key("ab", "g").starts_with(link_children_prefix("a")));
  EXPECT_FALSE(link_key("a").starts_with(link_children_prefix("a")));
}

}  // namespace
}  // namespace farshore
