#include "proto/link/filter.h"

#include <gtest/gtest.h>

namespace farshore {
namespace {

std::vector<Filter> filters(std::initializer_list<const char*> texts) {
  std::vector<Filter> out;
  for (auto* text : texts) out.push_back(parse_filter(text).value());
  return out;
}

TEST(Filter, EmptyIncludeListSelectsNothing) {
  EXPECT_FALSE(selected({}, "orders"));
  EXPECT_FALSE(selected(filters({"!payments"}), "orders"));
}

TEST(Filter, ExcludeWinsInAnyOrder) {
  EXPECT_FALSE(selected(filters({"orders*", "!orders-test"}), "orders-test"));
  EXPECT_FALSE(selected(filters({"!orders-test", "orders*"}), "orders-test"));
  EXPECT_TRUE(selected(filters({"!orders-test", "orders*"}), "orders-eu"));
}

TEST(Filter, LiteralNameIsNoPrefix) {
  EXPECT_FALSE(selected(filters({"orders"}), "orders-eu"));
  EXPECT_TRUE(selected(filters({"*"}), "orders-eu"));
}

TEST(Filter, StarInTheMiddleIsRefusedWithTheReason) {
  auto refused = parse_filter("or*ders");
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().detail.find("only stand at the end"), std::string::npos);
  EXPECT_FALSE(parse_filter(""));
  EXPECT_FALSE(parse_filter("!"));
}

TEST(Filter, ShortFormRoundTrips) {
  for (auto* text : {"*", "orders", "orders*", "!orders*", "!x"})
    EXPECT_EQ(to_string(parse_filter(text).value()), text);
}

TEST(Filter, ListSkipsEmptyPartsAndRefusesABadOne) {
  EXPECT_EQ(parse_filters("a,,b*,").value().size(), 2u);
  EXPECT_TRUE(parse_filters("").value().empty());
  EXPECT_FALSE(parse_filters("a,b*c"));
}

}  // namespace
}  // namespace farshore
