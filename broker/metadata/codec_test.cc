#include "broker/metadata/internal/codec.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace farshore::broker {
namespace {

TopicImage mirror_topic(Random& random) {
  TopicImage topic;
  topic.name = "orders";
  topic.id = random.uuid();
  topic.configs = {{"retention.ms", "1"}};
  topic.partitions.resize(2);
  topic.read_only = true;
  MirrorImage& mirror = topic.mirror.emplace();
  mirror.link = LinkId(random.uuid());
  mirror.link_epoch = LinkEpoch(7);
  mirror.source_cluster_id = ClusterId("east");
  mirror.source_topic_name = "orders-east";
  mirror.source_topic = SourceTopicId(random.uuid());
  mirror.state = MirrorState::kStopped;
  mirror.state_reason = "promoted \xff by hand";  // not UTF-8: replaced, not refused
  mirror.provenance = {ClusterId("north"), ClusterId("east")};
  PromotionRecord& record = mirror.promotions.emplace_back();
  record.kind = PromotionKind::kFailover;
  record.wall_ms = 12;
  record.link = mirror.link;
  record.source_cluster_id = ClusterId("east");
  record.source_topic = mirror.source_topic;
  PromotionRecord::PartitionEnd end = mirror_end(1, Offset(95));
  end.last_epoch = LogEpoch(7);
  end.new_epoch = LeadershipEpoch(65536);
  end.source_high_watermark = SourceOffset(100);
  end.lost_at_least_records = 5;
  end.blind_window_ms = 3;
  end.aborted.push_back({9, 2, Offset(90), {{"orders", 0, Offset(70)}, {"other", 3, Offset(71)}}});
  end.aborted.push_back({10, 0, Offset(91), {}});
  record.partitions.push_back(end);
  return topic;
}

TEST(MetadataCodec, TopicSurvivesWithMirrorAndPromotion) {
  Random random(1);
  TopicImage topic = mirror_topic(random);
  auto decoded = decode_topic("orders", encode_topic(topic));
  ASSERT_TRUE(decoded) << decoded.error().to_string();
  EXPECT_EQ(decoded->id, topic.id);
  EXPECT_EQ(decoded->partitions.size(), 2u);
  EXPECT_TRUE(decoded->read_only);
  ASSERT_TRUE(decoded->mirror && decoded->mirror->promotion());
  EXPECT_EQ(decoded->mirror->link_epoch, LinkEpoch(7));
  EXPECT_EQ(decoded->mirror->state, MirrorState::kStopped);
  EXPECT_EQ(decoded->mirror->provenance, topic.mirror->provenance);
  EXPECT_EQ(decoded->mirror->promotion()->partitions[0].new_epoch, LeadershipEpoch(65536));
  const auto& aborted = decoded->mirror->promotion()->partitions[0].aborted;
  ASSERT_EQ(aborted.size(), 2u);
  EXPECT_EQ(aborted[0].producer_id, 9);
  EXPECT_EQ(aborted[0].producer_epoch, 2);
  EXPECT_EQ(aborted[0].first, Offset(90));
  ASSERT_EQ(aborted[0].committed.size(), 2u);
  EXPECT_EQ(aborted[0].committed[1].topic, "other");
  EXPECT_EQ(aborted[0].committed[1].partition, 3);
  EXPECT_EQ(aborted[0].committed[1].marker, Offset(71));
  EXPECT_TRUE(aborted[1].committed.empty());
  EXPECT_EQ(encode_topic(*decoded), encode_topic(*decode_topic("orders", encode_topic(*decoded))));
}

TEST(MetadataCodec, TopicThatIsAMirrorAgainKeepsTheRecordsOfItsEnds) {
  Random random(1);
  TopicImage topic = mirror_topic(random);
  const PromotionRecord first = topic.mirror->promotions.front();
  topic.mirror->state = MirrorState::kActive;
  EXPECT_FALSE(topic.mirror->ended());
  const std::string mirror_again = encode_topic(topic);
  EXPECT_EQ(mirror_again.find("\"promotion\":"), std::string::npos) << "older programs take it for a mirror, too";
  auto decoded = decode_topic("orders", mirror_again);
  ASSERT_TRUE(decoded) << decoded.error().to_string();
  EXPECT_FALSE(decoded->mirror->ended());
  EXPECT_FALSE(decoded->mirror->promotion());
  EXPECT_EQ(decoded->mirror->promotions, std::vector{first});

  PromotionRecord second = first;
  second.wall_ms = 99;
  decoded->mirror->end(MirrorState::kPendingStopped, second);
  auto ended = decode_topic("orders", encode_topic(*decoded));
  ASSERT_TRUE(ended) << ended.error().to_string();
  EXPECT_TRUE(ended->mirror->ended());
  ASSERT_TRUE(ended->mirror->promotion());
  EXPECT_EQ(ended->mirror->promotion()->wall_ms, 99);
  EXPECT_EQ(ended->mirror->promotions, (std::vector{first, second}));
  for (int again = 0; again < 100; ++again) ended->mirror->end(MirrorState::kStopped, second);
  EXPECT_EQ(ended->mirror->promotions.size(), kPromotionsMax);
}

// Written by the code before 2026-11-29: such values are on disks.
constexpr std::string_view kActiveMirrorTopic =
    R"({"configs":{"retention.ms":"1"},"id":"AgMEBQYHCAkKCwwNDg8QEQ","internal":false,"mirror":{"link":"AQI)"
    R"(DBAUGBwgJCgsMDQ4PEA","link_epoch":7,"provenance":["north-cluster","east-cluster"],"reason":"","sourc)"
    R"(e_cluster_id":"east-cluster","source_topic":"orders-east","source_topic_id":"AwQFBgcICQoLDA0ODxAREg")"
    R"(,"state":"ACTIVE"},"partitions":2,"read_only":true,"v":1})";
constexpr std::string_view kFailedOverMirrorTopic =
    R"({"configs":{"retention.ms":"1"},"id":"AgMEBQYHCAkKCwwNDg8QEQ","internal":false,"mirror":{"link":"AQI)"
    R"(DBAUGBwgJCgsMDQ4PEA","link_epoch":7,"promotion":{"kind":"failover","link":"AQIDBAUGBwgJCgsMDQ4PEA",")"
    R"(partitions":[{"aborted":[{"committed":[{"marker":70,"partition":0,"topic":"orders"},{"marker":71,"pa)"
    R"(rtition":3,"topic":"other"}],"first_offset":90,"producer_epoch":2,"producer_id":9},{"committed":[],")"
    R"(first_offset":91,"producer_epoch":0,"producer_id":10}],"blind_window_ms":3,"failover_offset":95,"las)"
    R"(t_epoch":7,"lost_at_least_ms":0,"lost_at_least_records":5,"new_epoch":65536,"partition":1,"source_hi)"
    R"(gh_watermark":100},{"aborted":[],"blind_window_ms":0,"failover_offset":0,"last_epoch":0,"lost_at_lea)"
    R"(st_ms":0,"lost_at_least_records":0,"new_epoch":0,"partition":0,"source_high_watermark":0}],"source_c)"
    R"(luster_id":"east-cluster","source_topic_id":"AwQFBgcICQoLDA0ODxAREg","wall_ms":1790000000123},"prove)"
    R"(nance":["north-cluster","east-cluster"],"reason":"promoted � by hand","source_cluster_id":"east-clus)"
    R"(ter","source_topic":"orders-east","source_topic_id":"AwQFBgcICQoLDA0ODxAREg","state":"STOPPED"},"par)"
    R"(titions":2,"read_only":true,"v":1})";

TEST(MetadataCodec, MirrorTopicIsWrittenAsBefore) {
  for (std::string_view stored : {kActiveMirrorTopic, kFailedOverMirrorTopic}) {
    auto topic = decode_topic("orders", stored);
    ASSERT_TRUE(topic) << topic.error().to_string();
    EXPECT_EQ(encode_topic(*topic), stored);
  }
}

TEST(MetadataCodec, EveryStoredStateIsReadAgainAndPendingIsDamage) {
  for (MirrorState state : kMirrorStates) {
    std::string stored(kActiveMirrorTopic);
    stored.replace(stored.find("\"ACTIVE\""), 8, "\"" + std::string(name(state)) + "\"");
    auto topic = decode_topic("orders", stored);
    ASSERT_EQ(topic.has_value(), may_be_stored(state)) << name(state);
    if (topic)
      EXPECT_EQ(topic->mirror->state, state);
    else
      EXPECT_EQ(topic.error().code, ErrorCode::kCorrupt);
  }
}

TEST(MetadataCodec, DamagedValuesAreErrors) {
  Random random(1);
  std::string whole = encode_topic(mirror_topic(random));
  for (size_t size = 0; size < whole.size(); ++size)
    EXPECT_FALSE(decode_topic("orders", whole.substr(0, size))) << "cut at " << size;
  EXPECT_EQ(decode_topic("t", R"({"v":1,"id":"x","partitions":1})").error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(decode_topic("t", "[]").error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(decode_partition(0, R"({"v":1,"leadership_epoch":"7"})").error().code, ErrorCode::kCorrupt);
}

TEST(MetadataCodec, LaterFormatIsRefused) {
  EXPECT_EQ(decode_cluster(R"({"v":2})").error().code, ErrorCode::kUnsupported);
}

TEST(MetadataCodec, PartitionKeysAreParsedStrictly) {
  Random random(1);
  TopicId id = random.uuid();
  auto key = parse_partition_key(partition_key(id, 12));
  ASSERT_TRUE(key);
  EXPECT_EQ(key->topic, id);
  EXPECT_EQ(key->partition, 12);
  for (const std::string& bad :
       std::vector<std::string>{"partition/", "partition/x/1", "topic/a", "partition/" + id.to_string() + "/",
                                "partition/" + id.to_string() + "/1x", "partition/" + id.to_string() + "/-1"})
    EXPECT_FALSE(parse_partition_key(bad)) << bad;
}

TEST(MetadataCodec, TopicThatAnOlderReleaseWouldMisreadHasAnotherVersion) {
  TopicImage topic;
  topic.name = "orders";
  topic.id = Uuid::parse("AAAAAAAAAAAAAAAAAAAAAQ").value();
  topic.partitions.resize(3);
  EXPECT_NE(encode_topic(topic).find("\"v\":1"), std::string::npos);
  topic.raising = {{0, LeadershipEpoch(65536)}, {2, LeadershipEpoch(7)}};
  const std::string text = encode_topic(topic);
  EXPECT_NE(text.find("\"v\":2"), std::string::npos);
  EXPECT_EQ(decode_topic("orders", text).value().raising, topic.raising);
  EXPECT_EQ(decode_topic_parts("orders", text).value(), std::nullopt);

  const TopicParts parts{topic.id, Uuid::parse("AAAAAAAAAAAAAAAAAAAAAg").value(), 4};
  const std::string head = encode_topic_parts(parts);
  EXPECT_NE(head.find("\"v\":2"), std::string::npos);
  EXPECT_EQ(decode_topic_parts("orders", head).value(), parts);
  EXPECT_EQ(decode_topic("orders", head).error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(decode_topic("orders", R"({"v":3})").error().code, ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace farshore::broker
