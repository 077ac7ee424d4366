#include "replicator/source_place.h"

#include <gtest/gtest.h>

namespace farshore::replicator {
namespace {

using Kind = SourcePlace::Kind;
using Code = kafka::ErrorCode;

constexpr char kTopic[] = "orders";
const Uuid kId{{2}};

class FindSourceTest : public testing::Test {
 protected:
  FindSourceTest() {
    topic_.name = kTopic;
    topic_.id = kId;
    topic_.partitions[0].leader = 4;
    topic_.partitions[0].leader_epoch = 9;
  }
  SourcePlace find(int32_t partition = 0) {
    kafka::ClusterView view;
    view.topics[kTopic] = topic_;
    return find_source(view, {LinkId{{1}}, SourceTopicId(kId), PartitionId(partition)}, kTopic);
  }
  void answer(Code code) { topic_.error_code = static_cast<int16_t>(code); }
  kafka::ClusterView::Topic topic_;
};

TEST_F(FindSourceTest, PartitionWithALeaderIsLed) {
  const SourcePlace found = find();
  EXPECT_EQ(found.kind, Kind::kLed);
  EXPECT_EQ(found.broker, 4);
  EXPECT_EQ(found.leader_epoch, LeadershipEpoch(9));
  EXPECT_EQ(found.error.code, ErrorCode::kNone);
}

TEST_F(FindSourceTest, TopicOutsideTheViewIsUnknown) {
  EXPECT_EQ(find_source(kafka::ClusterView(), {}, kTopic).kind, Kind::kUnknown);
}

TEST_F(FindSourceTest, TopicThatTheSourceDoesNotHaveIsMissing) {
  for (Code code : {Code::kUnknownTopicOrPartition, Code::kUnknownTopicId}) {
    answer(code);
    EXPECT_EQ(find().kind, Kind::kMissing);
    EXPECT_EQ(find().error.code, ErrorCode::kNotFound);
  }
}

TEST_F(FindSourceTest, OtherErrorOfTheTopicIsARefusal) {
  answer(Code::kTopicAuthorizationFailed);
  EXPECT_EQ(find().kind, Kind::kRefused);
  EXPECT_EQ(find().error.code, ErrorCode::kPermissionDenied);
}

TEST_F(FindSourceTest, TopicWithAnotherIdWasRecreated) {
  topic_.id = Uuid{{3}};
  EXPECT_EQ(find().kind, Kind::kRecreated);
  EXPECT_EQ(find().error.code, ErrorCode::kConflict);
  topic_.id = Uuid();  // a source that is too old to say
  EXPECT_EQ(find().kind, Kind::kLed);
}

TEST_F(FindSourceTest, PartitionWithoutALeaderIsLeaderless) {
  topic_.partitions[0].leader = -1;
  EXPECT_EQ(find().kind, Kind::kLeaderless);
  EXPECT_EQ(find(1).kind, Kind::kLeaderless);
  EXPECT_EQ(find(1).error.code, ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace farshore::replicator
