#include "replicator/sink_lane.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/sim/net.h"
#include "base/sim/world.h"
#include "proto/kafka/fake/fake_kafka.h"
#include "proto/kafka/messages/metadata.h"

namespace farshore::replicator {
namespace {

constexpr int16_t kMetadataKey = 3;
constexpr int32_t kBroker = 1;

LinkPartition key(int32_t index) { return {LinkId{{1}}, SourceTopicId{{2}}, PartitionId(index)}; }

// A sink that sends one Metadata request for each queued key.
class RecordingSink final : public SinkLaneOwner {
 public:
  bool lane_may_send(const SinkLane& lane) override {
    return !lane.queued().empty() && lane.in_flight() < in_flight_max;
  }
  void lane_send(SinkLane& lane) override {
    const LinkPartition next = *lane.next_queued();
    sent.push_back(next);
    lane.send(kafka::MetadataRequest(), [this, next](Result<kafka::MetadataResponse> answer) {
      if (answer) {
        answered.push_back(next);
      } else {
        failures.push_back(answer.error());
      }
    });
  }
  void lane_idle(SinkLane& lane) override {
    ++idle;
    if (disconnect_when_idle) lane.disconnect();
  }
  void lane_unreachable(SinkLane&, const LinkPartition& failed, const Error&) override {
    unreachable.push_back(failed);
  }
  void lane_lost(SinkLane& lane) override {
    EXPECT_EQ(lane.in_flight(), 0u);
    ++lost;
  }
  Task<Status> lane_reopens(SinkLane&) override {
    ++reopened;
    co_return ok();
  }
  Status lane_may_still_send() override { return may_still_send; }

  size_t in_flight_max = 4;
  bool disconnect_when_idle = false;
  Status may_still_send = ok();
  std::vector<LinkPartition> sent, answered, unreachable;
  std::vector<Error> failures;
  int idle = 0, lost = 0, reopened = 0;
};

class SinkLaneTest : public testing::Test {
 protected:
  SinkLaneTest()
      : world_(sim::SimOptions{.seed = 1, .buggify = false}),
        env_(world_.start_process("gateway", "test")),
        kafka_env_(world_.start_process("kafka", "broker")),
        kafka_(kafka_env_, Endpoint{"kafka", 9092}),
        cluster_(env_, env_.network(), options()),
        lanes_(env_, cluster_, SinkLaneOptions{"test lane", seconds(5), seconds(60)}, sink_) {
    world_.spawn(kafka_env_, kafka_.run());
    EXPECT_TRUE(until([this] { return kafka_.listening(); }));
    EXPECT_TRUE(world_.run(env_, learn_brokers(), seconds(10)));
  }
  ~SinkLaneTest() override {
    world_.kill(kafka_env_);
    world_.kill(env_);
  }
  static kafka::ClusterOptions options() {
    kafka::ClusterOptions out;
    out.bootstrap.push_back(Endpoint{"kafka", 9092});
    return out;
  }
  Task<void> learn_brokers() {
    auto view = co_await cluster_.refresh_all(env_.in(seconds(5)));
    EXPECT_TRUE(view);
    if (view && !(*view)->brokers.empty()) broker_ = (*view)->brokers.begin()->first;
  }
  SinkLane& lane() { return lanes_.to(broker_); }
  bool until(const std::function<bool()>& done) { return world_.run_until(done, seconds(300)) == sim::RunEnd::kDone; }

  sim::SimWorld world_;
  sim::SimEnv& env_;
  sim::SimEnv& kafka_env_;
  kafka::FakeKafka kafka_;
  kafka::ClusterClient cluster_;
  RecordingSink sink_;
  SinkLanes lanes_;
  int32_t broker_ = kBroker;
};

TEST_F(SinkLaneTest, QueuedKeysAreSentInOrderAndAnswered) {
  for (int32_t i = 0; i < 10; ++i) lane().queue(key(i));
  EXPECT_TRUE(until([&] { return sink_.answered.size() == 10; }));
  EXPECT_EQ(sink_.answered, sink_.sent);
  EXPECT_EQ(sink_.sent.front(), key(0));
  EXPECT_EQ(sink_.sent.back(), key(9));
  EXPECT_EQ(lanes_.requests_in_flight(), 0u);
  EXPECT_GT(lanes_.round_trip(), Duration::zero());
  EXPECT_EQ(sink_.reopened, 0);
}

TEST_F(SinkLaneTest, LostConnectionFailsRequestsThenIsReportedAndReopened) {
  kafka_.fate = [](int16_t api) {
    return api == kMetadataKey ? kafka::FakeKafka::Fate::kLoseAnswer : kafka::FakeKafka::Fate::kAnswer;
  };
  lane().queue(key(0));
  EXPECT_TRUE(until([&] { return sink_.lost == 1; }));
  EXPECT_EQ(sink_.failures.size(), 1u);
  kafka_.fate = {};
  lane().queue(key(1));
  EXPECT_TRUE(until([&] { return sink_.answered.size() == 1; }));
  EXPECT_EQ(sink_.reopened, 1);
}

TEST_F(SinkLaneTest, BrokerThatCannotBeReachedFailsEveryQueuedKey) {
  world_.kill(kafka_env_);
  lane().queue(key(0));
  lane().queue(key(1));
  EXPECT_TRUE(until([&] { return sink_.unreachable.size() == 2; }));
  EXPECT_TRUE(sink_.sent.empty());
  EXPECT_TRUE(lane().queued().empty());
}

TEST_F(SinkLaneTest, IdleConnectionIsReportedAndMayBeClosed) {
  lane().queue(key(0));
  EXPECT_TRUE(until([&] { return sink_.answered.size() == 1; }));
  EXPECT_TRUE(until([&] { return sink_.idle == 2; }));
  sink_.disconnect_when_idle = true;
  EXPECT_TRUE(until([&] { return sink_.lost == 1; }));
  lane().queue(key(1));
  EXPECT_TRUE(until([&] { return sink_.answered.size() == 2; }));
}

TEST_F(SinkLaneTest, RequestThatMayNotBeSentAnyMoreFailsWithoutBeingWritten) {
  const int before = kafka_.requests[kMetadataKey];
  sink_.may_still_send = Error(ErrorCode::kUnavailable, "stood still");
  lane().queue(key(0));
  EXPECT_TRUE(until([&] { return sink_.failures.size() == 1; }));
  EXPECT_EQ(sink_.failures.front().detail, "stood still");
  EXPECT_EQ(kafka_.requests[kMetadataKey], before);
  EXPECT_EQ(sink_.lost, 0);  // the connection stays
}

TEST_F(SinkLaneTest, StoppedLaneHandsNoAnswerOn) {
  kafka_.fate = [](int16_t api) {
    return api == kMetadataKey ? kafka::FakeKafka::Fate::kSilence : kafka::FakeKafka::Fate::kAnswer;
  };
  lane().queue(key(0));
  EXPECT_TRUE(until([&] { return sink_.sent.size() == 1; }));
  EXPECT_TRUE(world_.run(env_, lanes_.stop(), seconds(60)));
  EXPECT_TRUE(sink_.answered.empty());
  EXPECT_TRUE(sink_.failures.empty());
}

}  // namespace
}  // namespace farshore::replicator
