#include "proto/link/group_memory.h"

#include <gtest/gtest.h>

namespace farshore {
namespace {

TEST(GroupMemory, OffsetsAndPreviousOffsetsRoundTripAndBadRowsAreLeftOut) {
  const GroupMemory memory{{{"orders", 0}, {TargetOffset(5), std::nullopt}},
                           {{"orders", 3}, {TargetOffset(9), TargetOffset(12)}}};
  EXPECT_EQ(decode_group_memory(encode(memory)), memory);
  EXPECT_TRUE(decode_group_memory("not json").empty());
  EXPECT_TRUE(decode_group_memory(R"({"offsets":[["orders",1],["orders","1",7],7]})").empty());
}

TEST(GroupMemory, TopicNameThatIsNoUtf8IsStoredAllTheSame) {
  const GroupMemory memory{{{"ord\xff"
                             "ers",
                             0},
                            {TargetOffset(5), std::nullopt}}};
  EXPECT_EQ(decode_group_memory(encode(memory)).size(), 1u);
}

}  // namespace
}  // namespace farshore
