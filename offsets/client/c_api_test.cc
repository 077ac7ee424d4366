// The C functions, without a cluster.
#include "offsets/client/farshore.h"

#include <gtest/gtest.h>

#include <string>

namespace {

TEST(CApi, InvalidConfigurationIsRefusedWithTheReason) {
  farshore_config* config = farshore_config_new();
  EXPECT_EQ(farshore_config_set(config, "source.lost.after.ms", "soon"), FARSHORE_INVALID);
  EXPECT_EQ(farshore_consumer_open(config), nullptr);
  EXPECT_EQ(std::string(farshore_last_error()), "source and target must be given");
  for (auto [name, value] :
       {std::pair{"source", "127.0.0.1:1"}, {"target", "127.0.0.1:1"}, {"group", "g"}, {"topics", "t"}})
    EXPECT_EQ(farshore_config_set(config, name, value), 0);
  EXPECT_EQ(farshore_config_set(config, "no.such.property", "1"), 0);
  EXPECT_EQ(farshore_consumer_open(config), nullptr);
  EXPECT_NE(std::string(farshore_last_error()).find("no.such.property"), std::string::npos);
  farshore_config_free(config);
}

TEST(CApi, UnreachableClustersEndInTimeouts) {
  farshore_config* config = farshore_config_new();
  for (auto [name, value] :
       {std::pair{"source", "127.0.0.1:1"}, {"target", "127.0.0.1:1"}, {"group", "g"}, {"topics", "t"}})
    ASSERT_EQ(farshore_config_set(config, name, value), 0);
  farshore_consumer* consumer = farshore_consumer_open(config);
  ASSERT_NE(consumer, nullptr) << farshore_last_error();
  EXPECT_EQ(farshore_consumer_poll(consumer, 50), FARSHORE_NOTHING);
  EXPECT_EQ(farshore_consumer_at_target(consumer), 0);
  farshore_consumer_close(consumer);
  farshore_config_free(config);
  farshore_translator* translator = farshore_translator_open("127.0.0.1:1", nullptr);
  ASSERT_NE(translator, nullptr) << farshore_last_error();
  EXPECT_EQ(farshore_to_target(translator, "t", 0, 1, 200), FARSHORE_UNAVAILABLE);
  farshore_translator_close(translator);
  EXPECT_EQ(farshore_translator_open("nonsense", nullptr), nullptr);
}

}  // namespace
