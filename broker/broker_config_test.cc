#include "broker/broker_config.h"

#include <gtest/gtest.h>

#include "broker/metadata/topic_config.h"

namespace farshore::broker {
namespace {

TEST(BrokerConfig, EveryDefaultIsAllowedByItsOwnKey) {
  for (const auto* schema : {&broker_schema(), &topic_schema()}) {
    for (const auto& key : schema->keys()) {
      if (key.default_value.empty()) continue;
      auto checked = schema->check(key.name, key.default_value);
      EXPECT_TRUE(checked) << checked.error().detail;
    }
  }
}

TEST(BrokerConfig, ReadsListenersAsKafkaWritesThem) {
  Config config(broker_schema());
  ASSERT_TRUE(config.set("listeners", "PLAINTEXT://127.0.0.1:0"));
  auto options = broker_options(config);
  ASSERT_TRUE(options) << options.error().to_string();
  EXPECT_EQ(options->server.listen, (Endpoint{"127.0.0.1", 0}));
  ASSERT_TRUE(config.set("listeners", "SSL://127.0.0.1:0"));
  EXPECT_EQ(broker_options(config).error().code, ErrorCode::kUnsupported);
  ASSERT_TRUE(config.set("listeners", "127.0.0.1:1"));
  ASSERT_TRUE(config.set("advertised.listeners", "PLAINTEXT://0.0.0.0:1"));
  EXPECT_EQ(broker_options(config).error().code, ErrorCode::kInvalidArgument);
}

TEST(BrokerConfig, RefusesContradictions) {
  Config config(broker_schema());
  ASSERT_TRUE(config.set("broker.id", "3"));
  EXPECT_EQ(broker_options(config)->id, BrokerId(3));
  ASSERT_TRUE(config.set("node.id", "4"));
  EXPECT_FALSE(broker_options(config));
  auto unknown = config.set("num.partition", "3");
  ASSERT_FALSE(unknown);
  EXPECT_NE(unknown.error().detail.find("num.partitions"), std::string::npos);
}

}  // namespace
}  // namespace farshore::broker
