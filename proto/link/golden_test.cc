// The stored bytes of each codec, as the programs wrote them before the codecs moved here (2026-11-29). They are on the
// disks of clusters: a difference is a change of format, which needs a new version in FORMAT.md.
#include <gtest/gtest.h>

#include <string_view>

#include "proto/link/group_memory.h"
#include "proto/link/keys.h"
#include "proto/link/promotion_json.h"
#include "proto/link/relay_topic.h"
#include "proto/link/stored_link.h"
#include "proto/link/testing/samples.h"

namespace farshore {
namespace {

constexpr std::string_view kStoredLink =
    R"({"config_include":["retention.ms"],"created_ms":1790000000000,"epoch":4,"group_sync":false,"group_sy)"
    R"(nc_interval_ms":250,"groups":["*"],"id":"AQIDBAUGBwgJCgsMDQ4PEA","mode":"relay","name":"east-to-west)"
    R"(","on_divergence":"stop","paused_topics":["east.orders-eu"],"source":"east-1:9092,east-2:9092","sour)"
    R"(ce_cluster_id":"east-cluster","source_incarnation":"AAAA","state":"FAILED","state_reason":"refused �)"
    R"( by the source","target":"west-1:9092","target_cluster_id":"west-cluster","target_incarnation":"BBBB)"
    R"(","topic_prefix":"east.","topic_sync_interval_ms":7000,"topics":["orders*","!orders-test"],"v":1})";

constexpr std::string_view kDefaultStoredLink =
    R"({"config_include":[],"created_ms":0,"epoch":0,"group_sync":true,"group_sync_interval_ms":1000,"group)"
    R"(s":["*"],"id":"AAAAAAAAAAAAAAAAAAAAAA","mode":"mirror","name":"","on_divergence":"truncate","paused_)"
    R"(topics":[],"source":"","source_cluster_id":"","source_incarnation":"","state":"ACTIVE","state_reason)"
    R"(":"","target":"","target_cluster_id":"","target_incarnation":"","topic_prefix":"","topic_sync_interv)"
    R"(al_ms":5000,"topics":[],"v":1})";

constexpr std::string_view kActiveRelayTopic =
    R"({"caught_up":false,"declared":{},"id":"AgMEBQYHCAkKCwwNDg8QEQ","link":"AQIDBAUGBwgJCgsMDQ4PEA","part)"
    R"(itions":7,"source_cluster_id":"east-cluster","source_id":"AwQFBgcICQoLDA0ODxAREg","source_topic":"or)"
    R"(ders","state":"ACTIVE","topic":"east.orders","v":1})";

constexpr std::string_view kFailedOverRelayTopic =
    R"({"caught_up":true,"declared":{"retention.bytes":null,"retention.ms":"1000"},"id":"AgMEBQYHCAkKCwwNDg)"
    R"(8QEQ","link":"AQIDBAUGBwgJCgsMDQ4PEA","partitions":7,"promotion":{"kind":"failover","partitions":[{")"
    R"(blind_window_ms":80,"failover_offset":40,"failover_target_offset":50,"last_epoch":6,"lost_at_least_m)"
    R"(s":70,"lost_at_least_records":5,"note":"by what was written down","partition":3,"source_high_waterma)"
    R"(rk":45},{"blind_window_ms":0,"failover_offset":0,"failover_target_offset":-1,"last_epoch":-1,"lost_a)"
    R"(t_least_ms":0,"lost_at_least_records":0,"note":"","partition":4,"source_high_watermark":0}],"wall_ms)"
    R"(":1790000000123},"source_cluster_id":"east-cluster","source_id":"AwQFBgcICQoLDA0ODxAREg","source_top)"
    R"(ic":"orders","state":"STOPPED","topic":"east.orders","v":1})";

constexpr std::string_view kMirrorPromotion =
    R"({"kind":"failover","link":"AQIDBAUGBwgJCgsMDQ4PEA","partitions":[{"aborted":[{"committed":[{"marker")"
    R"(:70,"partition":0,"topic":"orders"},{"marker":71,"partition":3,"topic":"other"}],"first_offset":90,")"
    R"(producer_epoch":2,"producer_id":9},{"committed":[],"first_offset":91,"producer_epoch":0,"producer_id)"
    R"(":10}],"blind_window_ms":3,"failover_offset":95,"last_epoch":7,"lost_at_least_ms":0,"lost_at_least_r)"
    R"(ecords":5,"new_epoch":65536,"partition":1,"source_high_watermark":100},{"aborted":[],"blind_window_m)"
    R"(s":0,"failover_offset":0,"last_epoch":0,"lost_at_least_ms":0,"lost_at_least_records":0,"new_epoch":0)"
    R"(,"partition":0,"source_high_watermark":0}],"source_cluster_id":"east-cluster","source_topic_id":"AwQ)"
    R"(FBgcICQoLDA0ODxAREg","wall_ms":1790000000123})";

TEST(StoredBytes, StoredLinkIsWrittenAsBefore) {
  EXPECT_EQ(encode(samples::stored_link()), kStoredLink);
  EXPECT_EQ(encode(StoredLink()), kDefaultStoredLink);
}

TEST(StoredBytes, RelayTopicIsWrittenAsBefore) {
  RelayTopic topic = samples::relay_topic();
  topic.caught_up = false;
  topic.declared.clear();
  topic.promotion.reset();
  EXPECT_EQ(encode(topic), kActiveRelayTopic);
  EXPECT_EQ(encode(samples::relay_topic()), kFailedOverRelayTopic);
}

TEST(StoredBytes, GroupMemoryIsWrittenAsBefore) {
  EXPECT_EQ(encode(samples::group_memory()), R"({"offsets":[["orders",0,5],["orders",3,9,12]],"v":1})");
  EXPECT_EQ(encode(GroupMemory()), R"({"offsets":[],"v":1})");
}

TEST(StoredBytes, MirrorPromotionIsWrittenAsBefore) {
  EXPECT_EQ(samples::dump(mirror_promotion_to_json(samples::mirror_promotion())), kMirrorPromotion);
}

TEST(StoredBytes, KeysAreWrittenAsBefore) {
  EXPECT_EQ(link_key("east-to-west"), "link/east-to-west");
  EXPECT_EQ(group_memory_key("east-to-west", "readers"), "link/east-to-west/group/readers");
  EXPECT_EQ(relay_topic_key("east-to-west", "east.orders"), "link/east-to-west/topic/east.orders");
  EXPECT_EQ(std::string_view(kLinksTopic), "__farshore_links");
  EXPECT_EQ(std::string_view(kTranslationTopic), "__farshore_offsets");
  EXPECT_EQ(std::string_view(kControlTransactionalId), "farshore.control");
  EXPECT_EQ(std::string_view(kControllerKey), "controller");
}

TEST(StoredBytes, StoredBytesOfEarlierReleasesAreRead) {
  auto link = decode_stored_link(kStoredLink);
  ASSERT_TRUE(link) << link.error().to_string();
  EXPECT_EQ(encode(*link), kStoredLink);
  EXPECT_EQ(link->spec, samples::stored_link().spec);
  auto topic = decode_relay_topic(kFailedOverRelayTopic);
  ASSERT_TRUE(topic) << topic.error().to_string();
  EXPECT_EQ(*topic, samples::relay_topic());
  auto promotion = mirror_promotion_from_json(samples::parse(kMirrorPromotion));
  ASSERT_TRUE(promotion) << promotion.error().to_string();
  EXPECT_EQ(*promotion, samples::mirror_promotion());
}

}  // namespace
}  // namespace farshore
