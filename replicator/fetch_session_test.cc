#include "replicator/fetch_session.h"

#include <gtest/gtest.h>

#include <limits>

namespace farshore::replicator {
namespace {

constexpr size_t kBytesMax = 1000;

FetchSession::Partition partition(uint8_t topic, int32_t index) {
  FetchSession::Partition out;
  out.key = {LinkId{{1}}, SourceTopicId{{topic}}, PartitionId(index)};
  out.topic = "topic-" + std::to_string(topic);
  out.leader_epoch = LeadershipEpoch(5);
  return out;
}
FetchPosition position(int64_t offset, int32_t epoch = 3) {
  FetchPosition out;
  out.offset = SourceOffset(offset);
  out.last_fetched_epoch = LogEpoch(epoch);
  return out;
}

class FetchSessionTest : public testing::Test {
 protected:
  void ask(const FetchSession::Partition& at, FetchSession::Member& member, const FetchPosition& next,
           bool by_name = false) {
    session_.ask(request_, at, member, next, by_name, kBytesMax);
  }
  // As the fetcher does: sends the request, and the source answers.
  kafka::FetchRequest send(int32_t session_id = 77) {
    session_.finish(request_);
    EXPECT_TRUE(session_.answered(session_id));
    return std::exchange(request_, {});
  }
  FetchSession session_;
  kafka::FetchRequest request_;
  FetchSession::Member first_, second_;
};

TEST_F(FetchSessionTest, FirstRequestNamesEveryPartitionAndBeginsASession) {
  ask(partition(2, 0), first_, position(10));
  ask(partition(2, 1), second_, position(20));
  const kafka::FetchRequest request = send();
  EXPECT_EQ(request.session_id, 0);
  EXPECT_EQ(request.session_epoch, 0);
  ASSERT_EQ(request.topics.size(), 1u);
  EXPECT_EQ(request.topics[0].topic_id, (TopicId{{2}}));
  EXPECT_EQ(request.topics[0].topic, "");
  ASSERT_EQ(request.topics[0].partitions.size(), 2u);
  const auto& asked = request.topics[0].partitions[1];
  EXPECT_EQ(asked.partition, 1);
  EXPECT_EQ(asked.fetch_offset, 20);
  EXPECT_EQ(asked.last_fetched_epoch, 3);
  EXPECT_EQ(asked.current_leader_epoch, 5);
  EXPECT_EQ(asked.partition_max_bytes, static_cast<int32_t>(kBytesMax));
  EXPECT_EQ(session_.size(), 2u);
  EXPECT_TRUE(session_.begun());
}

TEST_F(FetchSessionTest, LaterRequestNamesOnlyPositionsThatTheBrokerDoesNotKnow) {
  ask(partition(2, 0), first_, position(10));
  ask(partition(2, 1), second_, position(20));
  send();
  ask(partition(2, 0), first_, position(10));
  ask(partition(2, 1), second_, position(25));
  const kafka::FetchRequest request = send();
  EXPECT_EQ(request.session_id, 77);
  EXPECT_EQ(request.session_epoch, 1);
  ASSERT_EQ(request.topics.size(), 1u);
  ASSERT_EQ(request.topics[0].partitions.size(), 1u);
  EXPECT_EQ(request.topics[0].partitions[0].fetch_offset, 25);
  ask(partition(2, 0), first_, position(10, 4));  // the same offset after another epoch
  EXPECT_EQ(send().topics.size(), 1u);
}

TEST_F(FetchSessionTest, PartitionThatLeavesIsForgottenByName) {
  ask(partition(2, 0), first_, position(10));
  ask(partition(3, 1), second_, position(20));
  send();
  session_.leave(partition(3, 1), second_);
  const kafka::FetchRequest request = send();
  EXPECT_TRUE(request.topics.empty());
  ASSERT_EQ(request.forgotten_topics_data.size(), 1u);
  EXPECT_EQ(request.forgotten_topics_data[0].topic_id, (TopicId{{3}}));
  EXPECT_EQ(request.forgotten_topics_data[0].partitions, std::vector<int32_t>{1});
  EXPECT_EQ(session_.size(), 1u);
  EXPECT_FALSE(second_.asked);
  EXPECT_TRUE(send().forgotten_topics_data.empty());  // once is enough
}

TEST_F(FetchSessionTest, PartitionThatNeverWasInTheSessionIsNotForgotten) {
  ask(partition(2, 0), first_, position(10));
  send();
  session_.leave(partition(3, 1), second_);
  EXPECT_TRUE(send().forgotten_topics_data.empty());
}

TEST_F(FetchSessionTest, PartitionThatComesBackIsAskedForAndNotForgotten) {
  ask(partition(2, 0), first_, position(10));
  send();
  session_.leave(partition(2, 0), first_);
  FetchSession::Member again;
  ask(partition(2, 0), again, position(10));
  const kafka::FetchRequest request = send();
  EXPECT_TRUE(request.forgotten_topics_data.empty());
  ASSERT_EQ(request.topics.size(), 1u);
  EXPECT_EQ(session_.size(), 1u);
}

TEST_F(FetchSessionTest, ResetSessionNamesEveryPartitionAgain) {
  ask(partition(2, 0), first_, position(10));
  send();
  session_.leave(partition(2, 0), first_);
  session_.reset();
  EXPECT_TRUE(session_.fresh());
  EXPECT_EQ(session_.size(), 0u);
  first_ = {};
  ask(partition(2, 0), first_, position(10));
  const kafka::FetchRequest request = send();
  EXPECT_EQ(request.session_id, 0);
  EXPECT_TRUE(request.forgotten_topics_data.empty());
  EXPECT_EQ(request.topics.size(), 1u);
}

TEST_F(FetchSessionTest, BrokerWithoutSessionsIsDetectedFromItsAnswer) {
  ask(partition(2, 0), first_, position(10));
  session_.finish(request_);
  EXPECT_FALSE(session_.answered(0));
  EXPECT_TRUE(session_.fresh());
}

TEST_F(FetchSessionTest, BrokerTooOldForTopicIdsIsAskedByName) {
  ask(partition(2, 0), first_, position(10), /*by_name=*/true);
  EXPECT_EQ(send().topics.at(0).topic, "topic-2");
}

}  // namespace
}  // namespace farshore::replicator
