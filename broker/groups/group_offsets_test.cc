#include "broker/groups/group_offsets.h"

#include <gtest/gtest.h>

namespace farshore::broker {
namespace {

TEST(GroupOffsets, KeepTheNewestValueOfEachPartitionUntilItsTombstone) {
  GroupOffsets offsets;
  TopicPartition partition;
  partition.topic = "t";
  CommittedOffset value;
  value.offset = Offset(1);
  offsets.apply(partition, value);
  value.offset = Offset(2);
  offsets.apply(partition, value);
  EXPECT_EQ(offsets.size(), 1u);
  ASSERT_TRUE(offsets.find("t", 0));
  EXPECT_EQ(offsets.find("t", 0)->offset, Offset(2));
  EXPECT_FALSE(offsets.find("t", 1));
  EXPECT_FALSE(offsets.find("u", 0));
  offsets.apply(partition, std::nullopt);
  offsets.apply(partition, std::nullopt);
  EXPECT_TRUE(offsets.empty());
  EXPECT_EQ(offsets.size(), 0u);
}

TEST(GroupOffsets, ExpireByTheBrokersRetentionOrByTheirOwnTime) {
  CommittedOffset value;
  value.commit_ms = 100;
  EXPECT_FALSE(offset_expired(value, 100, 50, 149));
  EXPECT_TRUE(offset_expired(value, 100, 50, 150));
  value.expire_ms = 1000;
  EXPECT_FALSE(offset_expired(value, 100, 50, 999));
  EXPECT_TRUE(offset_expired(value, 100, 50, 1000));
}

}  // namespace
}  // namespace farshore::broker
