#include "broker/log/internal/offset_index.h"

#include <gtest/gtest.h>

namespace farshore {
namespace {

TEST(OffsetIndex, LookupFindsTheEntryAtOrBelow) {
  OffsetIndex index(Offset(100));
  index.append(Offset(110), 50);
  index.append(Offset(120), 90);
  EXPECT_FALSE(index.at_or_below(Offset(109)));
  EXPECT_EQ(index.at_or_below(Offset(110))->position, 50U);
  EXPECT_EQ(index.at_or_below(Offset(500))->position, 90U);
  EXPECT_EQ(index.at_or_before(89)->position, 50U);
  auto again = OffsetIndex::decode(Offset(100), index.encode(), 200).value();
  EXPECT_EQ(again.encode(), index.encode());
  EXPECT_FALSE(OffsetIndex::decode(Offset(100), index.encode(), 60)) << "beyond the log";
  EXPECT_EQ(OffsetIndex::decode(Offset(100), index.encode() + std::string(80, '\0'), 200)->size(), 2U)
      << "Kafka's zeros";
}

}  // namespace
}  // namespace farshore
