#include "offsets/client/target/internal/relay_links.h"

#include "offsets/client/target/internal/relay_fixture.h"
#include "offsets/client/target/internal/target_topics.h"
#include "proto/link/group_memory.h"

namespace farshore::client {
namespace {

using RelayLinksTest = RelayFixture;

ASYNC_TEST_F(RelayLinksTest, EndedTopicHasItsEndInOffsetsOfBothClusters) {
  SlabArena arena;
  RelayLinks links(env_, *cluster_, arena);
  auto none = co_await links.read(soon());
  EXPECT_ERROR(none, ErrorCode::kNotFound);  // no relay link was ever made to this cluster
  add_topics();
  auto read_1 = co_await links.read(soon());
  CO_ASSERT_OK(read_1);
  auto found = links.topics();
  CO_ASSERT(found.count("east.orders") == 1);
  EXPECT_FALSE(found.at("east.orders").ended);
  EXPECT_EQ(found.at("east.orders").link, "e2w");
  RelayTopic topic = relay_topic();
  PromotionRecord::PartitionEnd end;
  end.failover_offset = SourceOffset(15);
  end.failover_target_offset = TargetOffset(40);
  topic.promotion.emplace().kind = PromotionKind::kPromote;
  topic.promotion->partitions.push_back(end);
  store_link("link/e2w/topic/east.orders", encode(topic));
  store_link("link/e2w/group/readers/topic/x", encode(GroupMemory()));  // a group id may hold a '/'
  auto read_2 = co_await links.read(soon());
  CO_ASSERT_OK(read_2);
  found = links.topics();
  const RelayedTopic& ended = found.at("east.orders");
  EXPECT_TRUE(ended.ended && ended.promoted);
  CO_ASSERT(ended.ends.count(0) == 1);
  EXPECT_EQ(ended.ends.at(0).source, 15);
  EXPECT_EQ(ended.ends.at(0).target, 40);
}

// A later release may end a topic in a way that this one does not know.
ASYNC_TEST_F(RelayLinksTest, EntryThatCannotBeReadRefusesItsOwnTopicOnly) {
  add_topics();
  kafka_.add_topic("east.payments", 1);
  RelayTopic odd = relay_topic();
  odd.topic = "east.payments";
  odd.source_topic = "payments";
  odd.promotion.emplace();
  std::string json = encode(odd);
  const std::string kind = "\"kind\":\"failover\"";
  CO_ASSERT(json.find(kind) != std::string::npos);
  json.replace(json.find(kind), kind.size(), "\"kind\":\"evacuation\"");
  store_link("link/e2w/topic/east.payments", json);
  SlabArena arena;
  RelayLinks links(env_, *cluster_, arena);
  auto read_3 = co_await links.read(soon());
  CO_ASSERT_OK(read_3);
  RelayQuestion question;
  question.topic = "orders";
  auto found = links.find(question);
  CO_ASSERT_OK(found);
  question.topic = "payments";
  auto refused = links.find(question);
  EXPECT_ERROR(refused, ErrorCode::kUnsupported);
  EXPECT_NE(refused.error().detail.find("evacuation"), std::string::npos) << refused.error().detail;
  TargetTopics topics(env_, *cluster_);
  std::vector<std::string> names{"east.orders"};
  auto view = co_await topics.ask(names, soon());
  CO_ASSERT_OK(view);
  EXPECT_EQ(view->at("east.orders").state, TopicAtTarget::State::kMirror);
  names.push_back("east.payments");
  view = co_await topics.ask(names, soon());
  EXPECT_ERROR(view, ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace farshore::client
