#include "offsets/client/consumer/internal/continuation.h"

#include <gtest/gtest.h>

namespace farshore::client {
namespace {

TEST(Continuation, PartitionContinuesAtTheSmallerOfPositionAndFailoverOffset) {
  TopicAtTarget topic;
  topic.partitions[0].failover_offset = 100;
  EXPECT_EQ(continuation(topic, 0, 60).continued_at, 60);
  EXPECT_EQ(continuation(topic, 0, 60).consumed_but_lost, 0);
  EXPECT_EQ(continuation(topic, 0, 100).continued_at, 100);
  EXPECT_EQ(continuation(topic, 0, 100).consumed_but_lost, 0);
  EXPECT_EQ(continuation(topic, 0, 130).continued_at, 100);
  EXPECT_EQ(continuation(topic, 0, 130).consumed_but_lost, 30);
}

TEST(Continuation, PartitionThatWasNeverMirroredContinuesAtItsBeginning) {
  auto next = continuation(TopicAtTarget{}, 3, 7);
  EXPECT_EQ(next.continued_at, 0);
  EXPECT_EQ(next.consumed_but_lost, 7);
}

TEST(PlaceAtTarget, MirrorKeepsTheOffsetAndRelayKnowsOnlyItsEnd) {
  TopicAtTarget topic;
  topic.partitions[0].failover_offset = 100;
  EXPECT_EQ(place_at_target(topic, 0, continuation(topic, 0, 60)), 60);
  topic.relay_link = "l";
  topic.partitions[0].failover_target_offset = 140;
  EXPECT_EQ(place_at_target(topic, 0, continuation(topic, 0, 60)), std::nullopt);
  EXPECT_EQ(place_at_target(topic, 0, continuation(topic, 0, 100)), 140);
  EXPECT_EQ(place_at_target(topic, 0, continuation(topic, 0, 130)), 140);
  topic.partitions[1].failover_offset = 0;  // nothing was relayed into it: what is there is the target's own
  EXPECT_EQ(place_at_target(topic, 1, continuation(topic, 1, 0)), 0);
  EXPECT_EQ(place_at_target(topic, 1, continuation(topic, 1, 7)), 0);
  EXPECT_EQ(place_at_target(topic, 2, continuation(topic, 2, 7)), 0);
}

TEST(StartOf, AssignedPartitionStartsAfterDeliveredAndCommittedOffsets) {
  EXPECT_EQ(start_of(5, 9), 9);
  EXPECT_EQ(start_of(9, 5), 9);
  EXPECT_EQ(start_of(9, std::nullopt), 9);
  EXPECT_EQ(start_of(std::nullopt, 5), 5);
  EXPECT_EQ(start_of(std::nullopt, std::nullopt), std::nullopt);
}

}  // namespace
}  // namespace farshore::client
