#include "broker/net/api_table.h"

#include <gtest/gtest.h>

#include <type_traits>

namespace farshore::broker {
namespace {

// An entry without its authorization does not compile.
static_assert(!std::is_default_constructible_v<ApiEntry>);
static_assert(!std::is_default_constructible_v<Authorization>);
static_assert(!std::is_constructible_v<ApiEntry, int16_t, const char*, ApiVersionRange, HandlerFunction>);

Task<Result<kafka::WireMessage>> nothing(RequestContext&, kafka::Reader&) { co_return Error(ErrorCode::kInternal); }

ApiEntry entry(int16_t key, ApiVersionRange versions = {0, 1}) {
  return ApiEntry(key, "Api", versions, Authorization::none(), &nothing);
}

TEST(ApiTable, SortsEntriesByKeyAndFindsThem) {
  const ApiTable table({entry(7), entry(10001), entry(0)});
  ASSERT_EQ(table.entries().size(), 3u);
  EXPECT_EQ(table.entries()[0].key, 0);
  EXPECT_EQ(table.entries()[1].key, 7);
  EXPECT_EQ(table.entries()[2].key, 10001);
  ASSERT_TRUE(table.find(7));
  EXPECT_EQ(table.find(7)->key, 7);
  EXPECT_EQ(table.index(*table.find(10001)), 2u);
  EXPECT_EQ(table.find(6), nullptr);
  EXPECT_EQ(table.find(10002), nullptr);
}

TEST(ApiTable, PrivateApisAreThoseOfTenThousandAndAbove) {
  EXPECT_FALSE(entry(9999).private_api());
  EXPECT_TRUE(entry(10000).private_api());
}

TEST(ApiTableDeathTest, RejectsTwoEntriesOfOneKeyAndEmptyVersionRanges) {
  EXPECT_DEATH(ApiTable({entry(3), entry(3)}), "one handler per API key");
  EXPECT_DEATH(ApiTable({entry(3, {2, 1})}), "an API entry is complete");
}

}  // namespace
}  // namespace farshore::broker
