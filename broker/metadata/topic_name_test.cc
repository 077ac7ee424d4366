#include "broker/metadata/topic_name.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace farshore::broker {
namespace {

TEST(TopicName, AllowsKafkasCharactersUpToTheirLimit) {
  ClusterImage image;
  for (const char* name : {"orders", "a.b-c_D9", "...", "_"}) EXPECT_FALSE(check_topic_name(image, name)) << name;
  EXPECT_FALSE(check_topic_name(image, std::string(249, 'x')));
}

TEST(TopicName, RefusesEmptyLongAndForeignNames) {
  ClusterImage image;
  for (const char* name : {"", ".", "..", "a b", "a/b", "a\n", "ö"})
    EXPECT_EQ(check_topic_name(image, name).code, kafka::ErrorCode::kInvalidTopicException) << name;
  EXPECT_EQ(check_topic_name(image, std::string(250, 'x')).code, kafka::ErrorCode::kInvalidTopicException);
}

TEST(TopicName, RefusesANameThatMetricsCannotTellFromAnother) {
  ClusterImage image;
  auto topic = std::make_shared<TopicImage>();
  topic->name = "a.b";
  image.topics["a.b"] = topic;
  EXPECT_EQ(check_topic_name(image, "a_b").code, kafka::ErrorCode::kInvalidTopicException);
  EXPECT_FALSE(check_topic_name(image, "a.b"));
  EXPECT_FALSE(check_topic_name(image, "a-b"));
}

}  // namespace
}  // namespace farshore::broker
