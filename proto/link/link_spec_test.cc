#include "proto/link/link_properties.h"
#include "proto/link/stored_link.h"

#include <gtest/gtest.h>

namespace farshore {
namespace {

LinkSpec spec() {
  LinkSpec s;
  s.name = "east-to-west";
  s.source = parse_bootstrap("east-1:9092,east-2:9092").value();
  s.target = parse_bootstrap("west-1:9092").value();
  s.topics = {parse_filter("orders*").value(), parse_filter("!orders-test").value()};
  return s;
}

TEST(LinkSpec, StoredLinkRoundTrips) {
  StoredLink link;
  link.spec = spec();
  link.spec.topic_prefix = "east.";
  link.spec.source_incarnation = "AAAA";
  link.spec.target_incarnation = "BBBB";
  link.spec.on_divergence = OnDivergence::kStop;
  link.spec.config_include = {"retention.ms"};
  link.id = LinkId{{0, 0, 0, 7}};
  link.epoch = LinkEpoch(4);
  link.state = LinkState::kPaused;
  link.paused_topics = {"east.orders-eu"};
  auto again = decode_stored_link(encode(link));
  ASSERT_TRUE(again) << again.error().to_string();
  EXPECT_EQ(*again, link);
}

TEST(LinkSpec, ClusterWithAnotherIncarnationIsRefusedAndUnknownOnesAreNotChecked) {
  auto wiped = check_incarnation("source", ClusterId("c1"), "one", "two");
  ASSERT_FALSE(wiped);
  EXPECT_EQ(wiped.error().code, ErrorCode::kConflict);
  EXPECT_EQ(wiped.error().detail.substr(0, 32), "source: cluster c1 was wiped: it");
  EXPECT_TRUE(check_incarnation("source", ClusterId("c1"), "one", "one"));
  EXPECT_TRUE(check_incarnation("source", ClusterId("c1"), "", "two"));
  EXPECT_TRUE(check_incarnation("source", ClusterId("c1"), "one", ""));
}

TEST(LinkSpec, StoredLinkFromBeforeIncarnationsIsRead) {
  StoredLink link;
  link.spec = spec();
  std::string json = encode(link);
  for (const char* field : {"\"source_incarnation\":\"\",", "\"target_incarnation\":\"\","}) {
    auto at = json.find(field);
    ASSERT_NE(at, std::string::npos) << json;
    json.erase(at, std::string(field).size());
  }
  auto read = decode_stored_link(json);
  ASSERT_TRUE(read) << read.error().to_string();
  EXPECT_EQ(*read, link);
}

TEST(LinkSpec, StoredLinkOfANewerGatewayIsUnsupported) {
  StoredLink link;
  link.spec = spec();
  std::string json = encode(link);
  json.replace(json.find("\"v\":1"), 5, "\"v\":9");
  auto refused = decode_stored_link(json);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnsupported);
}

TEST(LinkSpec, EachWayToMeetADivergenceIsSetAndStored) {
  for (const OnDivergence what : {OnDivergence::kTruncate, OnDivergence::kTruncateAll, OnDivergence::kStop}) {
    StoredLink link;
    link.spec = spec();
    ASSERT_TRUE(set_property(link.spec, "on.divergence", name(what)));
    EXPECT_EQ(link.spec.on_divergence, what);
    auto read = decode_stored_link(encode(link));
    ASSERT_TRUE(read);
    EXPECT_EQ(read->spec.on_divergence, what);
  }
  LinkSpec relay = spec();
  relay.mode = LinkMode::kRelay;
  relay.on_divergence = OnDivergence::kStop;
  EXPECT_FALSE(set_property(relay, "on.divergence", "truncate-all"));
  EXPECT_FALSE(set_property(relay, "on.divergence", "follow"));
}

TEST(LinkSpec, DamagedStoredLinkIsCorrupt) {
  StoredLink link;
  link.spec = spec();
  std::string json = encode(link);
  EXPECT_EQ(decode_stored_link("").error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(decode_stored_link("[1]").error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(decode_stored_link("{\"v\":1}").error().code, ErrorCode::kCorrupt);
  for (size_t cut = 0; cut < json.size(); cut += 7) EXPECT_FALSE(decode_stored_link(json.substr(0, cut)));
}

TEST(LinkSpec, LinkWithOneAddressAtBothEndsIsRefused) {
  LinkSpec s = spec();
  s.target = s.source;
  auto refused = validate(s);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().detail.find("joins two clusters"), std::string::npos);
}

TEST(LinkSpec, FiltersThatOnlyExcludeAreRefused) {
  LinkSpec s = spec();
  Filter excluded{"x", PatternType::kLiteral, FilterType::kExclude};
  s.topics = {excluded};
  EXPECT_FALSE(validate(s));
  s.topics.push_back(Filter{"*", PatternType::kLiteral, FilterType::kInclude});
  EXPECT_TRUE(validate(s));
  s.groups = {excluded};
  EXPECT_FALSE(validate(s)) << "group sync that syncs nothing";
  s.group_sync = false;
  EXPECT_TRUE(validate(s));
}

TEST(LinkSpec, PrefixThatATopicNameCannotHaveIsRefused) {
  LinkSpec s = spec();
  s.topic_prefix = "east/";
  EXPECT_FALSE(validate(s));
  s.topic_prefix = "east.";
  EXPECT_TRUE(validate(s));
  EXPECT_EQ(target_topic_name(s, "orders"), "east.orders");
}

TEST(LinkSpec, UnknownPropertyNamesTheNearestAndListsAll) {
  LinkSpec s = spec();
  auto refused = set_property(s, "topicz", "x");
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().detail.find("did you mean 'topics'?"), std::string::npos);
  EXPECT_NE(refused.error().detail.find("group.sync.interval.ms"), std::string::npos);
  EXPECT_FALSE(set_property(s, "mode", "relay"));
  EXPECT_FALSE(set_property(s, "group.sync.interval.ms", "5"));
  EXPECT_FALSE(set_property(s, "topics", ""));
  ASSERT_TRUE(set_property(s, "topics", "a,b*,!c"));
  EXPECT_EQ(s.topics.size(), 3u);
}

}  // namespace
}  // namespace farshore
