#include "broker/groups/internal/offset_store.h"

#include <gtest/gtest.h>

#include <utility>

namespace farshore::broker {
namespace {

OffsetRecord record(std::string group, std::string topic, int32_t partition, std::optional<int64_t> offset) {
  OffsetRecord out;
  out.group = std::move(group);
  out.partition.topic = std::move(topic);
  out.partition.partition = partition;
  if (offset) out.value.emplace().offset = Offset(*offset);
  return out;
}

TEST(OffsetStore, GroupWithoutOffsetsIsForgotten) {
  OffsetStore store;
  store.apply(record("g", "t", 0, 5));
  ASSERT_TRUE(store.find("g"));
  EXPECT_EQ(store.find("g")->find("t", 0)->offset, Offset(5));
  store.apply(record("g", "t", 0, std::nullopt));
  store.apply(record("nobody", "t", 0, std::nullopt));  // a tombstone that compaction left
  EXPECT_FALSE(store.find("g"));
  EXPECT_TRUE(store.groups().empty());
}

TEST(OffsetStore, TombstonesOfATopicCoverAllGroupsAndPartitions) {
  OffsetStore store;
  store.apply(record("g", "t", 0, 1));
  store.apply(record("g", "t", 7, 1));
  store.apply(record("g", "other", 0, 1));
  store.apply(record("h", "t", 0, 1));
  auto tombstones = store.topic_tombstones("t");
  EXPECT_EQ(tombstones.size(), 3u);
  for (const auto& each : tombstones) store.apply(std::get<OffsetRecord>(each));
  EXPECT_TRUE(store.find("g")->find("other", 0));
  EXPECT_EQ(store.find("g")->size(), 1u);
  EXPECT_FALSE(store.find("h"));
}

TEST(OffsetStore, SelectReturnsTheChosenPartitionsOfOneGroup) {
  OffsetStore store;
  store.apply(record("g", "t", 0, 1));
  store.apply(record("g", "t", 1, 2));
  store.apply(record("h", "t", 2, 2));
  auto chosen =
      store.select("g", [](const std::string&, const CommittedOffset& offset) { return offset.offset == Offset(2); });
  ASSERT_EQ(chosen.size(), 1u);
  EXPECT_EQ(chosen[0].partition, 1);
  EXPECT_TRUE(store.select("nobody", [](const std::string&, const CommittedOffset&) { return true; }).empty());
}

}  // namespace
}  // namespace farshore::broker
