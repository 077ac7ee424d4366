#include "base/net.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace farshore {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(Endpoint, NamesAndAddressesAreParsedAndPrintedBack) {
  for (std::string text : {"localhost:9092", "10.0.0.1:1", "[::1]:65535", "broker-1.example:0"}) {
    auto endpoint = Endpoint::parse(text);
    ASSERT_TRUE(endpoint) << text;
    EXPECT_EQ(endpoint->to_string(), text);
  }
  EXPECT_EQ(Endpoint::parse("[fe80::1]:9")->host, "fe80::1");
}

TEST(Endpoint, BootstrapListIsParsedInOrder) {
  auto list = parse_bootstrap("east-1:9092,[::1]:9");
  ASSERT_TRUE(list);
  EXPECT_THAT(*list, ElementsAre(Endpoint{"east-1", 9092}, Endpoint{"::1", 9}));
  EXPECT_THAT(parse_bootstrap("").error().detail, HasSubstr("host:port"));
  EXPECT_THAT(parse_bootstrap("east-1:9092,,b:1").error().detail, HasSubstr("''"));
}

TEST(Endpoint, ParseErrorNamesTheMissingPart) {
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

}  // namespace
}  // namespace farshore
