#include "proto/link/relay_topic.h"

#include <gtest/gtest.h>

#include "proto/link/testing/samples.h"

namespace farshore {
namespace {

TEST(RelayTopic, RoundTripsWithAndWithoutItsEnd) {
  RelayTopic topic = samples::relay_topic();
  auto back = decode_relay_topic(encode(topic));
  ASSERT_TRUE(back) << back.error().to_string();
  EXPECT_EQ(*back, topic);
  topic.given_up = {{2, SourceOffset(10), SourceOffset(15), 1790000000123, "refused"},
                    {3, SourceOffset(0), SourceOffset(0), 1, ""}};
  EXPECT_EQ(decode_relay_topic(encode(topic)).value(), topic);
  topic.promotion.reset();
  EXPECT_EQ(decode_relay_topic(encode(topic)).value(), topic);
}

TEST(RelayTopic, EntryWithAnOpenEndIsOneThatOlderProgramsRefuse) {
  RelayTopic topic = samples::relay_topic();
  EXPECT_NE(encode(topic).find("\"v\":1"), std::string::npos);
  topic.promotion->partitions[0].state = EndState::kOffline;
  topic.promotion->partitions[0].failover_offset = SourceOffset(-1);
  const std::string json = encode(topic);
  EXPECT_NE(json.find("\"v\":2"), std::string::npos) << "they would take it for a partition without records";
  EXPECT_EQ(decode_relay_topic(json).value(), topic);
}

TEST(RelayTopic, WhatIsToBeForgottenIsKept) {
  RelayTopic topic = samples::relay_topic();
  topic.promotion.reset();
  topic.id = TargetTopicId();
  topic.forgets = FormerRelay{topic.source_id, 7};
  EXPECT_EQ(decode_relay_topic(encode(topic)).value(), topic);
}

TEST(RelayTopic, TopicThatIsRelayedAgainKeepsTheRecordsOfItsEnds) {
  RelayTopic topic = samples::relay_topic();
  topic.promotions_before = {*topic.promotion};
  topic.promotion.reset();
  const std::string json = encode(topic);
  EXPECT_EQ(json.find("\"promotion\":"), std::string::npos) << "older programs take it for relayed, too";
  EXPECT_NE(json.find("\"state\":\"ACTIVE\""), std::string::npos);
  EXPECT_EQ(decode_relay_topic(json).value(), topic);
}

TEST(RelayTopic, ValueOfANewerGatewayIsRefusedAndRubbishIsCorrupt) {
  EXPECT_EQ(decode_relay_topic(R"({"v":99})").error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(decode_relay_topic("rubbish").error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(decode_relay_topic(R"({"v":1,"topic":3})").error().code, ErrorCode::kCorrupt);
  const std::string json = encode(samples::relay_topic());
  for (size_t cut = 0; cut < json.size(); ++cut) EXPECT_FALSE(decode_relay_topic(json.substr(0, cut)));
}

// The encoder used to throw here: a note may repeat what a broker said, and that may be any bytes.
TEST(RelayTopic, NoteThatIsNoUtf8IsStoredAllTheSame) {
  RelayTopic topic = samples::relay_topic();
  topic.promotion->partitions[0].note = "refused \xff by the target";
  auto back = decode_relay_topic(encode(topic));
  ASSERT_TRUE(back) << back.error().to_string();
  EXPECT_NE(back->promotion->partitions[0].note.find("by the target"), std::string::npos);
}

TEST(RelayTopic, NumberWithAFractionIsCorrupt) {
  std::string json = encode(samples::relay_topic());
  json.replace(json.find("\"partitions\":7"), 14, "\"partitions\":7.5");
  EXPECT_EQ(decode_relay_topic(json).error().code, ErrorCode::kCorrupt);
}

}  // namespace
}  // namespace farshore
