#include "offsets/client/translator/internal/mirror_limit.h"

#include <gtest/gtest.h>

namespace farshore::client {
namespace {

TEST(MirrorLimit, OffsetsTranslateUpToTheMirrorsEndOrTheFailoverOffset) {
  TopicAtTarget topic;
  topic.state = TopicAtTarget::State::kMirror;
  topic.partitions[0].end_offset = 10;
  EXPECT_FALSE(mirror_limit(&topic, 0, 10).problem);
  EXPECT_EQ(mirror_limit(&topic, 0, 11).problem.kind, Problem::Kind::kOutOfRange);
  EXPECT_EQ(mirror_limit(&topic, 0, -1).problem.kind, Problem::Kind::kOutOfRange);
  EXPECT_EQ(mirror_limit(&topic, 1, 0).problem.kind, Problem::Kind::kNotMirrored);
  topic.state = TopicAtTarget::State::kFailedOver;
  topic.partitions[0] = {500, 8, std::nullopt};
  EXPECT_FALSE(mirror_limit(&topic, 0, 8).problem);
  EXPECT_EQ(mirror_limit(&topic, 0, 9).problem.kind, Problem::Kind::kOutOfRange);
  EXPECT_TRUE(mirror_limit(&topic, 0, 8).ended);
  EXPECT_EQ(mirror_limit(nullptr, 0, 0).problem.kind, Problem::Kind::kNotMirrored);
}

TEST(MirrorLimit, PartitionWhoseEndIsNotKnownIsUnavailableAndNotOutOfRange) {
  TopicAtTarget topic;
  topic.state = TopicAtTarget::State::kMirror;
  topic.partitions[0].end_offset = -1;  // offline at the target
  for (int64_t offset : {0, 7}) EXPECT_EQ(mirror_limit(&topic, 0, offset).problem.kind, Problem::Kind::kUnavailable);
  topic.state = TopicAtTarget::State::kFailedOver;
  EXPECT_EQ(mirror_limit(&topic, 0, 7).problem.kind, Problem::Kind::kUnavailable);
  topic.partitions[0].failover_offset = -1;
  EXPECT_EQ(mirror_limit(&topic, 0, 7).problem.kind, Problem::Kind::kUnavailable);
  EXPECT_EQ(mirror_limit(&topic, 0, 7).limit, -1);
}

}  // namespace
}  // namespace farshore::client
