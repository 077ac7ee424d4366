#include "linker/relay/relay_topic.h"

#include <gtest/gtest.h>

namespace farshore::linker {
namespace {

Uuid uuid(uint8_t seed) {
  Uuid id;
  id.bytes.fill(seed);
  return id;
}

TEST(RelayTopic, IsReadBackAsItWasWritten) {
  RelayTopic topic;
  topic.link = uuid(9);
  topic.topic = "east.orders";
  topic.source_topic = "orders";
  topic.id = uuid(1);
  topic.source_id = uuid(2);
  topic.source_cluster_id = "c1";
  topic.partitions = 7;
  topic.caught_up = true;
  topic.declared = {{"retention.ms", "1000"}, {"retention.bytes", std::nullopt}};
  auto& record = topic.promotion.emplace();
  record.set_kind("failover");
  record.set_wall_ms(123);
  auto& partition = *record.add_partitions();
  partition.set_partition(3);
  partition.set_failover_offset(40);
  partition.set_failover_target_offset(50);
  partition.set_last_epoch(6);
  partition.set_new_epoch(-1);
  partition.set_source_high_watermark(45);
  partition.set_lost_at_least_records(5);
  partition.set_note("by what was written down");
  auto back = decode_relay_topic(encode(topic));
  ASSERT_TRUE(back) << back.error().to_string();
  EXPECT_EQ(back->link, topic.link);
  EXPECT_EQ(back->topic, topic.topic);
  EXPECT_EQ(back->source_topic, topic.source_topic);
  EXPECT_EQ(back->id, topic.id);
  EXPECT_EQ(back->source_id, topic.source_id);
  EXPECT_EQ(back->source_cluster_id, "c1");
  EXPECT_EQ(back->partitions, 7);
  EXPECT_TRUE(back->caught_up);
  EXPECT_EQ(back->declared, topic.declared);
  ASSERT_TRUE(back->promotion);
  EXPECT_EQ(back->promotion->SerializeAsString(), record.SerializeAsString());
}

TEST(RelayTopic, ThatANewerGatewayWroteIsRefusedAndRubbishIsCorrupt) {
  EXPECT_EQ(decode_relay_topic(R"({"v":99})").error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(decode_relay_topic("rubbish").error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(decode_relay_topic(R"({"v":1,"topic":3})").error().code, ErrorCode::kCorrupt);
}

TEST(RelayTopicKey, NamesItsLinkAndItsTopic) {
  auto parsed = parse_relay_topic_key(relay_topic_key("east-to-west", "orders.v2"));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->first, "east-to-west");
  EXPECT_EQ(parsed->second, "orders.v2");
  EXPECT_FALSE(parse_relay_topic_key("link/l"));
  EXPECT_FALSE(parse_relay_topic_key("link/l/group/g"));
  EXPECT_FALSE(parse_relay_topic_key("other/l/topic/t"));
}

}  // namespace
}  // namespace farshore::linker
