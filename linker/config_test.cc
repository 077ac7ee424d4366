#include "linker/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace farshore::linker {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

Config parsed(std::string_view yaml) {
  Config config(gateway_schema());
  auto status = parse_gateway_yaml(config, yaml, "gateway.yaml");
  EXPECT_TRUE(status) << status.error().to_string();
  return config;
}

std::string refusal(std::string_view yaml) {
  Config config(gateway_schema());
  auto status = parse_gateway_yaml(config, yaml, "gateway.yaml");
  return status ? "accepted" : status.error().detail;
}

TEST(GatewayConfig, FileOfPlainKeysBecomesSettings) {
  auto config = parsed(
      "# where links are stored\n"
      "target: west-1:9092,west-2:9092\n"
      "api: 127.0.0.1:0\n"
      "http: 0.0.0.0:9871\n"
      "link.inflight.max.bytes: 134217728\n"
      "fetch.max.wait.ms: 250\n"
      "crc.verify: false\n");
  auto settings = gateway_settings(config);
  ASSERT_TRUE(settings) << settings.error().to_string();
  EXPECT_EQ(to_string(settings->gateway.target), "west-1:9092,west-2:9092");
  EXPECT_EQ(settings->api.port, 0);
  ASSERT_TRUE(settings->http);
  EXPECT_EQ(settings->http->to_string(), "0.0.0.0:9871");
  EXPECT_EQ(settings->gateway.replicator.inflight_bytes_max, 134217728u);
  EXPECT_EQ(settings->gateway.replicator.fetcher.max_wait, milliseconds(250));
  EXPECT_FALSE(settings->gateway.replicator.pump.verify_crc);
}

TEST(GatewayConfig, DefaultsEqualThoseOfTheCode) {
  auto config = parsed("target: west:9092\n");
  auto settings = gateway_settings(config);
  ASSERT_TRUE(settings);
  const replicator::ReplicatorOptions code, &file = settings->gateway.replicator;
  EXPECT_EQ(file.inflight_bytes_max, code.inflight_bytes_max);
  EXPECT_EQ(file.lanes_per_broker, code.lanes_per_broker);
  EXPECT_EQ(file.metadata_interval, code.metadata_interval);
  EXPECT_EQ(file.pump.buffered_bytes_max, code.pump.buffered_bytes_max);
  EXPECT_EQ(file.pump.verify_crc, code.pump.verify_crc);
  EXPECT_EQ(file.fetcher.max_wait, code.fetcher.max_wait);
  EXPECT_EQ(file.fetcher.silence_max, code.fetcher.silence_max);
  EXPECT_EQ(file.fetcher.lag_target, code.fetcher.lag_target);
  EXPECT_EQ(file.fetcher.response_bytes_max, code.fetcher.response_bytes_max);
  EXPECT_EQ(file.fetcher.partition_bytes_max, code.fetcher.partition_bytes_max);
  EXPECT_EQ(file.fetcher.window_bytes_min, code.fetcher.window_bytes_min);
  EXPECT_EQ(file.fetcher.ahead_bytes_max, code.fetcher.ahead_bytes_max);
  EXPECT_EQ(settings->gateway.links_max, GatewayOptions().links_max);
  EXPECT_EQ(settings->gateway.retry, GatewayOptions().retry);
  EXPECT_EQ(settings->gateway.metrics_topics_max, GatewayOptions().metrics_topics_max);
  EXPECT_FALSE(settings->http);
}

TEST(GatewayConfig, NestedMappingsAndSequencesEqualPlainKeys) {
  auto nested = parsed("target: [west-1:9092, west-2:9092]\nfetch:\n  max.wait.ms: 7\n  max: {bytes: 1048576}\n");
  auto plain = parsed("target: west-1:9092,west-2:9092\nfetch.max.wait.ms: 7\nfetch.max.bytes: 1048576\n");
  EXPECT_EQ(nested.values(), plain.values());
}

TEST(GatewayConfig, UnknownKeyIsRefusedWithItsLineAndTheNearestValidKey) {
  auto text = refusal("target: west:9092\n\nlink.inflight.max.byte: 1048576\n");
  EXPECT_THAT(text, StartsWith("gateway.yaml:3: "));
  EXPECT_THAT(text, HasSubstr("did you mean 'link.inflight.max.bytes'?"));
  EXPECT_THAT(refusal("targte: west:9092\n"), HasSubstr("did you mean 'target'?"));
}

TEST(GatewayConfig, InvalidValueIsRefusedWithTheAllowedValues) {
  EXPECT_THAT(refusal("crc.verify: perhaps\n"), HasSubstr("expected true or false"));
  EXPECT_THAT(refusal("links.max: 0\n"), HasSubstr("at least 1"));
  EXPECT_THAT(refusal("links.max:\n"), HasSubstr("whole number"));
  EXPECT_THAT(refusal("fetch.max.bytes: [1, [2]]\n"), HasSubstr("a list of plain values"));
}

TEST(GatewayConfig, TextThatIsNotAMappingOfKeysIsRefused) {
  EXPECT_THAT(refusal("a: {b: \n"), HasSubstr("not YAML"));
  EXPECT_THAT(refusal("- target\n"), HasSubstr("a mapping is expected"));
  EXPECT_THAT(refusal("west:9092\n"), HasSubstr("a mapping is expected"));
  EXPECT_THAT(refusal("? [a, b]\n: c\n"), HasSubstr("a key must be a word"));
  EXPECT_THAT(refusal("target: a:1\n---\ntarget: b:1\n"), HasSubstr("more than one YAML document"));
  EXPECT_NE(refusal(", \"west-2:9092\"]sp-2\n"), "accepted");  // yaml-cpp's LoadAll never returned
  EXPECT_THAT(refusal("target: a:1\ntarget: b:1\n"), HasSubstr("'target' is set twice"));
  EXPECT_THAT(refusal("fetch: {max.bytes: 1048576}\nfetch.max.bytes: 1048576\n"), HasSubstr("set twice"));
  EXPECT_THAT(refusal(std::string((1 << 20) + 1, '#')), HasSubstr("more than 1 MiB"));
  EXPECT_THAT(refusal("{a: {a: {a: {a: {a: {a: {a: {a: {a: {a: 1}}}}}}}}}}"), HasSubstr("nested too deep"));
}

TEST(GatewayConfig, YamlAliasesThatExpandToManyBytesAreRefused) {
  EXPECT_THAT(refusal("fetch: {}\n"), HasSubstr("nothing in it"));
  EXPECT_THAT(refusal("target: &a {b: *a}\n"), HasSubstr("nested too deep"));
  std::string nested = "a: &a {}\n";  // each mapping is a thousand times the one before it
  for (char at = 'b'; at <= 'h'; ++at) {
    nested += std::string(1, at) + ": &" + at + " {";
    for (int i = 0; i < 1000; ++i)
      nested += std::to_string(i) + ": *" + std::string(1, static_cast<char>(at - 1)) + ", ";
    nested += "}\n";
  }
  EXPECT_THAT(refusal(nested), HasSubstr("nothing in it"));
  std::string repeated = "target: [&a " + std::string(1000, 'x');
  for (int i = 0; i < 2000; ++i) repeated += ", *a";
  EXPECT_THAT(refusal(repeated + "]\n"), HasSubstr("more than 1 MiB"));
}

TEST(GatewayConfig, EmptyFileSetsNothing) {
  EXPECT_TRUE(parsed("").values().empty());
  EXPECT_TRUE(parsed("# nothing yet\n").values().empty());
}

TEST(GatewayConfig, LaterSettingWins) {
  auto config = parsed("target: west:9092\nlinks.max: 3\n");
  ASSERT_TRUE(set_gateway_key(config, "links.max=4"));
  EXPECT_EQ(gateway_settings(config)->gateway.links_max, 4u);
  auto refused = set_gateway_key(config, "links.maxx=4");
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().detail, HasSubstr("--set: unknown configuration key 'links.maxx'"));
  EXPECT_FALSE(set_gateway_key(config, "links.max"));
}

TEST(GatewayConfig, MissingTargetAndInvalidAddressesAreNamed) {
  auto why = [](std::string_view yaml) {
    auto settings = gateway_settings(parsed(yaml));
    return settings ? "accepted" : settings.error().detail;
  };
  EXPECT_THAT(why(""), HasSubstr("--target HOST:PORT"));
  EXPECT_THAT(why("target: west\n"), StartsWith("target: 'west' is not host:port"));
  EXPECT_THAT(why("target: west:9092\napi: here\n"), StartsWith("api: 'here' is not host:port"));
  EXPECT_THAT(why("target: west:9092\nhttp: '1:2:3'\n"), StartsWith("http: "));
  EXPECT_THAT(why("target: west:9092\nlink.inflight.max.bytes: 1048576\n"),
              HasSubstr("partition.buffered.max.bytes is above"));
}

TEST(GatewayConfig, HelpNamesEveryKey) {
  const auto help = gateway_config_help();
  for (const auto& key : gateway_schema().keys()) EXPECT_THAT(help, HasSubstr(std::string(key.name) + " ("));
}

}  // namespace
}  // namespace farshore::linker
