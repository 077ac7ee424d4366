// The small parts of base: endpoints, paths, log lines, metrics, CRC-32C.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "base/crc32c.h"
#include "base/file.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/net.h"
#include "base/random.h"

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

struct Crc32cKind {
  const char* name;
  uint32_t (*function)(ConstBytes, uint32_t);
};
class Crc32c : public testing::TestWithParam<Crc32cKind> {};

TEST_P(Crc32c, MatchesTheVectorsOfRfc3720) {
  auto crc = [](std::string_view text) { return GetParam().function(as_bytes(text), 0); };
  std::string up, down;
  for (int i = 0; i < 32; ++i) {
    up.push_back(static_cast<char>(i));
    down.push_back(static_cast<char>(31 - i));
  }
  EXPECT_EQ(crc(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(crc(std::string(32, '\xff')), 0x62a8ab43u);
  EXPECT_EQ(crc(up), 0x46dd794eu);
  EXPECT_EQ(crc(down), 0x113fdb5cu);
  EXPECT_EQ(crc("123456789"), 0xe3069283u);
  EXPECT_EQ(crc(""), 0u);
}

TEST_P(Crc32c, ExtendsOverAnySplit) {
  Random random(5);
  std::string text(5000, '\0');
  for (char& c : text) c = static_cast<char>(random.next());
  uint32_t whole = GetParam().function(as_bytes(text), 0);
  for (int i = 0; i < 200; ++i) {
    size_t split = random.below(text.size() + 1);
    uint32_t first = GetParam().function(as_bytes(text).first(split), 0);
    EXPECT_EQ(GetParam().function(as_bytes(text).subspan(split), first), whole) << split;
  }
}

INSTANTIATE_TEST_SUITE_P(Kernels, Crc32c,
                         testing::Values(Crc32cKind{"dispatched", crc32c}, Crc32cKind{"portable", crc32c_portable},
                                         Crc32cKind{"three_way", crc32c_three_way}),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(Crc32cKernels, AreEqualForAllSmallLengthsAndRandomLargeOnesAtEveryAlignment) {
  Random random(6);
  std::string text((1 << 18) + 64, '\0');
  for (char& c : text) c = static_cast<char>(random.next());
  auto check = [&](size_t offset, size_t length) {
    auto bytes = as_bytes(text).subspan(offset, length);
    auto seed = static_cast<uint32_t>(random.next());
    uint32_t expected = crc32c_portable(bytes, seed);
    ASSERT_EQ(crc32c(bytes, seed), expected) << "offset " << offset << " length " << length;
    ASSERT_EQ(crc32c_three_way(bytes, seed), expected) << "offset " << offset << " length " << length;
  };
  for (size_t length = 0; length < 1100; ++length) check(length % 16, length);
  for (int i = 0; i < 600; ++i) check(random.below(64), random.below(i < 500 ? 20000 : 1 << 18));
}

TEST(Crc32cCombine, GivesTheCrcOfTheConcatenation) {
  Random random(9);
  std::string text(70000, '\0');
  for (char& c : text) c = static_cast<char>(random.next());
  for (int i = 0; i < 300; ++i) {
    size_t split = random.below(text.size() + 1);
    auto a = as_bytes(text).first(split), b = as_bytes(text).subspan(split);
    ASSERT_EQ(crc32c_combine(crc32c(a), crc32c(b), b.size()), crc32c(as_bytes(text))) << split;
  }
  // Longer than any buffer: 2^40 zero bytes, by doubling.
  uint32_t crc = crc32c(as_bytes(std::string_view("\0", 1)));
  uint64_t length = 1;
  for (; length < uint64_t{1} << 39; length *= 2) crc = crc32c_combine(crc, crc, length);
  EXPECT_EQ(crc32c_combine(crc32c_combine(0x12345678, crc, length), crc, length),
            crc32c_combine(0x12345678, crc32c_combine(crc, crc, length), 2 * length));
}

}  // namespace
}  // namespace farshore
