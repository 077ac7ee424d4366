#include "base/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace farshore {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

ConfigSchema sample() {
  return ConfigSchema({
      {"log.dirs", ConfigType::kList, "/tmp/a, /tmp/b", "where the logs are"},
      {"num.partitions", ConfigType::kInt, "1", "of a new topic", 1},
      {"log.retention.ms", ConfigType::kLong, "604800000", "age at which a segment goes", -1},
      {"ratio", ConfigType::kDouble, "0.5", "of something", 0, 1},
      {"auto.create", ConfigType::kBool, "true", "make topics on demand"},
      {"compression.type", ConfigType::kString, "producer", "of the log", -1e300, 1e300, {"producer", "zstd"}},
      {"cleanup.policy", ConfigType::kList, "delete", "what goes", -1e300, 1e300, {"delete", "compact"}},
  });
}

TEST(Config, KeyHasItsDefaultUntilSet) {
  auto schema = sample();
  Config config(schema);
  EXPECT_EQ(config.number("num.partitions"), 1);
  EXPECT_EQ(config.real("ratio"), 0.5);
  EXPECT_TRUE(config.flag("auto.create"));
  EXPECT_THAT(config.list("log.dirs"), ElementsAre("/tmp/a", "/tmp/b"));
  ASSERT_TRUE(config.set("num.partitions", "8"));
  EXPECT_EQ(config.number("num.partitions"), 8);
  EXPECT_TRUE(config.is_set("num.partitions"));
  config.unset("num.partitions");
  EXPECT_EQ(config.number("num.partitions"), 1);
}

TEST(Config, HelpTextNamesTypeDefaultAndRange) {
  const std::string help = help_text(sample());
  EXPECT_THAT(help, HasSubstr("num.partitions (int, default 1, at least 1)\n    of a new topic\n"));
  EXPECT_THAT(help, HasSubstr("compression.type (string, default producer, producer or zstd)\n"));
}

TEST(Config, UnknownKeyIsRefusedWithTheNearestName) {
  auto schema = sample();
  Config config(schema);
  auto status = config.set("num.partitons", "3");
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error(), ErrorCode::kInvalidArgument);
  EXPECT_THAT(status.error().detail, HasSubstr("'num.partitions'"));
}

TEST(Config, WrongTypesAndRangesAreRefusedWithTheAllowedValues) {
  auto schema = sample();
  auto detail = [&](const char* name, const char* value) {
    auto status = schema.check(name, value);
    return status ? std::string("accepted") : status.error().detail;
  };
  EXPECT_THAT(detail("num.partitions", "many"), HasSubstr("whole number"));
  EXPECT_THAT(detail("num.partitions", "0"), HasSubstr("at least 1"));
  EXPECT_THAT(detail("num.partitions", "3000000000"), HasSubstr("32 bits"));
  EXPECT_THAT(detail("num.partitions", ""), HasSubstr("whole number"));
  EXPECT_THAT(detail("log.retention.ms", "-2"), HasSubstr("at least -1"));
  EXPECT_THAT(detail("log.retention.ms", "99999999999999999999"), HasSubstr("64 bits"));
  EXPECT_THAT(detail("ratio", "1.5"), HasSubstr("at most 1"));
  EXPECT_THAT(detail("ratio", "nan"), HasSubstr("a number"));
  EXPECT_THAT(detail("auto.create", "yes"), HasSubstr("true or false"));
  EXPECT_THAT(detail("compression.type", "rar"), HasSubstr("producer, zstd"));
  EXPECT_THAT(detail("cleanup.policy", "compact, burn"), HasSubstr("delete, compact"));
  EXPECT_EQ(detail("cleanup.policy", "compact, delete"), "accepted");
  EXPECT_EQ(detail("auto.create", "FALSE"), "accepted");
  EXPECT_EQ(detail("log.retention.ms", "-1"), "accepted");
  EXPECT_EQ(detail("log.retention.ms", "+5"), "accepted");
  EXPECT_THAT(detail("log.retention.ms", "+-1"), HasSubstr("whole number"));
}

TEST(Config, PropertiesMayHaveCommentsContinuationsAndEscapes) {
  auto schema = sample();
  Config config(schema);
  auto status = config.parse(
      "# a comment \\\n"
      "! another\n"
      "\n"
      "num.partitions = 4\r\n"
      "ratio:0.25\n"
      "auto.create false\n"
      "  log.dirs=/data/one,\\\n"
      "     /data/t\\wo\n"
      "compression.type=zstd",
      "server.properties");
  ASSERT_TRUE(status) << status.error().to_string();
  EXPECT_EQ(config.number("num.partitions"), 4);
  EXPECT_EQ(config.real("ratio"), 0.25);
  EXPECT_FALSE(config.flag("auto.create"));
  EXPECT_THAT(config.list("log.dirs"), ElementsAre("/data/one", "/data/two"));
  EXPECT_EQ(config.text("compression.type"), "zstd");
}

TEST(Config, ErrorNamesFileAndLine) {
  auto schema = sample();
  Config config(schema);
  auto detail = [&](const char* text) { return config.parse(text, "server.properties").error().detail; };
  EXPECT_THAT(detail("\nratio=0.1\nnum.partitions=x\n"), HasSubstr("server.properties:3"));
  EXPECT_THAT(detail("ratio"), HasSubstr("not key=value"));
  EXPECT_THAT(detail("log.dirs=\\u0041"), HasSubstr("UTF-8"));
}

TEST(ConfigDeathTest, ReadingAnUndeclaredKeyEndsTheProcess) {
  auto schema = sample();
  Config config(schema);
  EXPECT_DEATH((void)config.text("nothing"), "undeclared");
}

}  // namespace
}  // namespace farshore
