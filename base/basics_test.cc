// The small parts of base: endpoints, paths, log lines, metrics.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "base/file.h"
#include "base/logger.h"
#include "base/metrics.h"
#include "base/net.h"

namespace farshore {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(Endpoint, ParsesNamesAndAddressesAndPrintsThemBack) {
  for (std::string text : {"localhost:9092", "10.0.0.1:1", "[::1]:65535", "broker-1.example:0"}) {
    auto endpoint = Endpoint::parse(text);
    ASSERT_TRUE(endpoint) << text;
    EXPECT_EQ(endpoint->to_string(), text);
  }
  EXPECT_EQ(Endpoint::parse("[fe80::1]:9")->host, "fe80::1");
}

TEST(Endpoint, ListsAreReadInOrder) {
  auto list = parse_bootstrap("east-1:9092,[::1]:9");
  ASSERT_TRUE(list);
  EXPECT_THAT(*list, ElementsAre(Endpoint{"east-1", 9092}, Endpoint{"::1", 9}));
  EXPECT_THAT(parse_bootstrap("").error().detail, HasSubstr("host:port"));
  EXPECT_THAT(parse_bootstrap("east-1:9092,,b:1").error().detail, HasSubstr("''"));
}

TEST(Endpoint, SaysWhatIsMissing) {
  auto detail = [](std::string_view text) {
    auto endpoint = Endpoint::parse(text);
    return endpoint ? std::string("accepted") : endpoint.error().detail;
  };
  EXPECT_THAT(detail("localhost"), HasSubstr("the port is missing"));
  EXPECT_THAT(detail(":9092"), HasSubstr("the host is missing"));
  EXPECT_THAT(detail("a:99999"), HasSubstr("0 to 65535"));
  EXPECT_THAT(detail("a:"), HasSubstr("0 to 65535"));
  EXPECT_THAT(detail("a:-1"), HasSubstr("0 to 65535"));
  EXPECT_THAT(detail("::1:9092"), HasSubstr("[address]:port"));
  EXPECT_THAT(detail("[::1"), HasSubstr("']'"));
  EXPECT_THAT(detail("[::1]9092"), HasSubstr("':port'"));
  EXPECT_THAT(detail("PLAINTEXT://a:1"), HasSubstr("[address]:port"));
  EXPECT_THAT(detail(""), HasSubstr("port is missing"));
}

TEST(Paths, JoinAndParent) {
  EXPECT_EQ(join_path("/data", "a"), "/data/a");
  EXPECT_EQ(join_path("/data/", "a"), "/data/a");
  EXPECT_EQ(join_path("", "a"), "a");
  EXPECT_EQ(parent_path("/data/a"), "/data");
  EXPECT_EQ(parent_path("/data/a/"), "/data");
  EXPECT_EQ(parent_path("/a"), "/");
  EXPECT_EQ(parent_path("a"), ".");
}

TEST(LogLine, QuotesWhatNeedsItAndKeepsEverythingOnOneLine) {
  EXPECT_EQ(format_log_line("listening", {{"port", 9092}, {"ok", true}, {"topic", "a-b_c.d"}}),
            "listening port=9092 ok=true topic=a-b_c.d");
  EXPECT_EQ(format_log_line("bad\nevent", {{"text", "a \"b\"\\\n\x01"}, {"empty", ""}}),
            "bad\\nevent text=\"a \\\"b\\\"\\\\\\n\\x01\" empty=\"\"");
  EXPECT_EQ(format_log_line("failed", {{"error", Error(ErrorCode::kNotFound, "no file")}}),
            "failed error=\"not found: no file\"");
}

TEST(MetricRegistry, GivesTheSameCellForTheSameNameAndLabelsInAnyOrder) {
  MetricRegistry registry;
  registry.counter("c_total", "help", {{"b", "2"}, {"a", "1"}}).add(3);
  registry.counter("c_total", "help", {{"a", "1"}, {"b", "2"}}).add();
  EXPECT_EQ(registry.counter("c_total", "help", {{"b", "2"}, {"a", "1"}}).value(), 4u);
  EXPECT_EQ(registry.collect().at(0).samples.size(), 1u);
}

TEST(MetricRegistry, RefreshesBeforeCollectingAndForgetsRemovedLabels) {
  MetricRegistry registry;
  auto& gauge = registry.gauge("g", "help");
  registry.on_collect([&] { gauge.set(42); });
  registry.counter("c_total", "help", {{"topic", "x"}});
  registry.counter("c_total", "help", {{"topic", "y"}});
  registry.gauge("only_x", "help", {{"topic", "x"}});
  registry.remove("topic", "x");
  auto families = registry.collect();
  ASSERT_EQ(families.size(), 2u);
  EXPECT_EQ(families[0].name, "c_total");
  ASSERT_EQ(families[0].samples.size(), 1u);
  EXPECT_EQ(families[0].samples[0].labels[0].second, "y");
  EXPECT_EQ(families[1].samples[0].gauge->value(), 42);
}

TEST(Histogram, CountsAValueInTheFirstBucketThatHoldsIt) {
  MetricRegistry registry;
  auto& histogram = registry.histogram("h", "help", {1, 10});
  for (double v : {0.5, 1.0, 1.5, 10.0, 11.0}) histogram.observe(v);
  EXPECT_THAT(histogram.counts(), ElementsAre(2, 2, 1));
  EXPECT_EQ(histogram.sum(), 24.0);
}

}  // namespace
}  // namespace farshore
