#include "broker/metadata/topic_config.h"

#include <gtest/gtest.h>

#include "broker/broker_config.h"

namespace farshore::broker {
namespace {

TEST(TopicConfig, NamesTheNearestValidKey) {
  auto checked = check_topic_config("retention.mss", "1");
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code, ErrorCode::kInvalidArgument);
  EXPECT_NE(checked.error().detail.find("'retention.ms'"), std::string::npos) << checked.error().detail;
}

TEST(TopicConfig, RefusesKafkaConfigsThatWouldDoNothing) {
  auto checked = check_topic_config("remote.storage.enable", "true");
  ASSERT_FALSE(checked);
  EXPECT_NE(checked.error().detail.find("tiered storage"), std::string::npos);
  EXPECT_FALSE(check_topic_config("compression.type", "zstd"));
  EXPECT_FALSE(check_topic_config("min.insync.replicas", "2"));
  EXPECT_FALSE(check_topic_config("cleanup.policy", "compact,"));
  EXPECT_FALSE(check_topic_config("retention.ms", "soon"));
  EXPECT_TRUE(check_topic_config("cleanup.policy", "compact,delete"));
}

TEST(TopicConfig, ValueThatSaysNoEffectIsTakenOfConfigsThatHaveNone) {
  Config broker(broker_schema());
  const TopicConfigs inert = {{"preallocate", "False"},
                              {"unclean.leader.election.enable", "false"},
                              {"flush.messages", " 9223372036854775807 "},
                              {"flush.ms", "9223372036854775807"},
                              {"remote.storage.enable", "false"},
                              {"max.compaction.lag.ms", "9223372036854775807"},
                              {"segment.jitter.ms", "0"},
                              {"file.delete.delay.ms", "60000"},
                              {"follower.replication.throttled.replicas", ""}};
  EXPECT_TRUE(check_topic_configs(inert)) << check_topic_configs(inert).error().to_string();
  for (const auto& [name, value] : inert) EXPECT_FALSE(check_topic_config(name, "1")) << name;
  size_t shown = 0;
  for (const auto& described : describe_topic_configs(broker, inert))
    shown += inert.contains(described.name) && described.source == DescribedConfig::Source::kTopic ? 1 : 0;
  EXPECT_EQ(shown, inert.size());
}

TEST(TopicConfig, SpacesAroundAValueAreIgnored) {
  EXPECT_TRUE(check_topic_config("retention.ms", " 1000 "));
  EXPECT_TRUE(check_topic_config("cleanup.policy", "\tcompact "));
  EXPECT_EQ(trimmed_config(" 1 000\n"), "1 000");
  EXPECT_EQ(trimmed_config(" "), "");
}

TEST(TopicConfig, TakesTheTopicThenTheBrokerThenTheDefault) {
  Config broker(broker_schema());
  TopicConfigs none;
  EXPECT_EQ(topic_config(broker, none, "retention.ms"), "604800000");
  ASSERT_TRUE(broker.set("log.retention.hours", "2"));
  EXPECT_EQ(topic_config(broker, none, "retention.ms"), "7200000");
  ASSERT_TRUE(broker.set("log.retention.minutes", "3"));
  EXPECT_EQ(topic_config(broker, none, "retention.ms"), "180000");
  ASSERT_TRUE(broker.set("log.retention.ms", "-1"));
  EXPECT_EQ(topic_config(broker, none, "retention.ms"), "-1");
  TopicConfigs own = {{"retention.ms", "5"}};
  EXPECT_EQ(topic_config(broker, own, "retention.ms"), "5");
}

TEST(TopicConfig, DescribesWhereAValueComesFrom) {
  Config broker(broker_schema());
  ASSERT_TRUE(broker.set("log.segment.bytes", "2097152"));
  TopicConfigs own = {{"retention.ms", "5"}};
  for (const auto& described : describe_topic_configs(broker, own)) {
    if (described.name == "retention.ms") {
      EXPECT_EQ(described.value, "5");
      EXPECT_EQ(described.source, DescribedConfig::Source::kTopic);
      EXPECT_EQ(described.synonyms.size(), 1u) << "Kafka's synonym is log.retention.ms, which has no default";
    }
    if (described.name == "segment.bytes") {
      EXPECT_EQ(described.value, "2097152");
      EXPECT_EQ(described.source, DescribedConfig::Source::kStaticBroker);
    }
    if (described.name == "cleanup.policy") {
      EXPECT_EQ(described.source, DescribedConfig::Source::kDefault);
    }
  }
}

TEST(TopicConfig, BecomesLogOptions) {
  Config broker(broker_schema());
  TopicImage topic;
  topic.configs = {
      {"cleanup.policy", "compact"}, {"max.message.bytes", "10"}, {"message.timestamp.type", "LogAppendTime"}};
  LogOptions options = log_options(broker, topic);
  EXPECT_EQ(options.cleanup_policy, CleanupPolicy::kCompact);
  EXPECT_EQ(options.max_message_bytes, 10u);
  EXPECT_TRUE(options.log_append_time);
  EXPECT_FALSE(options.follows_source);
  topic.configs["cleanup.policy"] = "";
  EXPECT_EQ(log_options(broker, topic).cleanup_policy, CleanupPolicy::kKeep);
  topic.configs["cleanup.policy"] = "compact,delete";
  topic.mirror.emplace();
  options = log_options(broker, topic);
  EXPECT_EQ(options.cleanup_policy, CleanupPolicy::kCompactDelete);
  EXPECT_TRUE(options.follows_source);
  topic.mirror->state = MirrorState::kStopped;
  EXPECT_FALSE(log_options(broker, topic).follows_source);
}

TEST(TopicConfig, DefaultsAgreeWithTheBrokersProperties) {
  Config broker(broker_schema());
  LogOptions defaults, options = log_options(broker, TopicImage());
  EXPECT_EQ(options.segment_bytes, defaults.segment_bytes);
  EXPECT_EQ(options.segment_ms, defaults.segment_ms);
  EXPECT_EQ(options.retention_ms, defaults.retention_ms);
  EXPECT_EQ(options.max_message_bytes, defaults.max_message_bytes);
  EXPECT_EQ(options.delete_retention_ms, defaults.delete_retention_ms);
  EXPECT_EQ(options.producer_id_expiration_ms, defaults.producer_id_expiration_ms);
  EXPECT_EQ(options.producers_max, defaults.producers_max);
  EXPECT_EQ(options.cleaner_dedupe_bytes, defaults.cleaner_dedupe_bytes);
}

}  // namespace
}  // namespace farshore::broker
