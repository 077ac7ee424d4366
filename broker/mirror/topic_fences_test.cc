// The fence that a promote at another cluster raises here: it ends by itself, and no request that comes late raises it.
#include "broker/mirror/topic_fences.h"

#include <gtest/gtest.h>

#include "broker/mirror/testing/raw_gateway.h"

namespace farshore::broker {
namespace {

using Code = kafka::ErrorCode;
using TopicResult = RawGateway::TopicResult;

class TopicFencesTest : public MirrorApi {
 protected:
  // One order of the link's gateway `epoch` to the source.
  TopicResult order(int64_t epoch, int64_t attempt, bool holds, int64_t lasts_ms, int64_t valid_until_ms = -1) {
    TopicResult answer;
    world.run(order_task(epoch, attempt, holds, lasts_ms, valid_until_ms, answer));
    return answer;
  }
  Task<void> order_task(int64_t epoch, int64_t attempt, bool holds, int64_t lasts_ms, int64_t valid_until_ms,
                        TopicResult& answer) {
    RawGateway gateway(world, epoch);
    FARSHORE_CO_REQUIRE(co_await gateway.connect(LinkWorld::endpoint("east-1")));
    gateway.topic_id = world.source_id();
    auto request = gateway.control_request(MirrorOperation::kSetReadOnly);
    request.valid_until_ms = valid_until_ms;
    request.topics[0].fence_attempt = attempt;
    request.topics[0].fence_ms = lasts_ms;
    request.topics[0].partitions[0].read_only = holds;
    auto response = co_await gateway.call(std::move(request), kafka::MirrorControlRequest::kMaxVersion);
    FARSHORE_CO_REQUIRE(response);
    if (!response->topics.empty()) answer = response->topics[0];
    if (response->error_code != 0) answer.error_code = response->error_code;
    now_ms = response->now_ms;
  }
  int16_t write() {
    int16_t code = -1;
    world.run(write_task(code));
    return code;
  }
  Task<void> write_task(int16_t& code) { code = co_await produce_to(world, "east-1"); }

  int64_t now_ms = -1;  // the source's clock, as it said last
};

constexpr int64_t kForeverMs = -1;

TEST_F(TopicFencesTest, FenceEndsByItselfWhenItsGatewayDoesNotRenewIt) {
  auto raised = order(1, 1, true, 30000);
  EXPECT_CODE(raised, Code::kNone);
  ASSERT_EQ(raised.fences.size(), 1U);
  EXPECT_EQ(raised.fences[0].link_id, LinkWorld::kLink.value());
  EXPECT_EQ(write(), wire_code(Code::kNotEnoughReplicas));  // clients may try again
  world.world().run_for(seconds(20));
  auto renewed = order(1, 1, true, 30000);
  EXPECT_CODE(renewed, Code::kNone);
  world.world().run_for(seconds(20));
  EXPECT_NE(write(), 0);
  world.world().run_for(seconds(15));
  EXPECT_EQ(write(), 0);
}

TEST_F(TopicFencesTest, FenceEndsByItselfAlsoAfterARestartOfTheSource) {
  EXPECT_CODE(order(1, 1, true, 30000), Code::kNone);
  world.kill_broker("east-1");
  world.start_broker("east-1");
  EXPECT_NE(write(), 0);
  world.world().run_for(seconds(40));
  EXPECT_EQ(write(), 0);
}

TEST_F(TopicFencesTest, RaiseThatComesAfterItsLiftChangesNothing) {
  EXPECT_CODE(order(4, 7, false, kForeverMs), Code::kNone);
  EXPECT_CODE(order(4, 7, true, kForeverMs), Code::kFencedLeaderEpoch);
  EXPECT_CODE(order(3, 9, true, kForeverMs), Code::kFencedLeaderEpoch);
  EXPECT_EQ(write(), 0);
  EXPECT_CODE(order(4, 8, true, kForeverMs), Code::kNone);
  EXPECT_EQ(write(), wire_code(Code::kInvalidRequest));  // for good: clients go to the other cluster
}

TEST_F(TopicFencesTest, RequestThatIsServedTooLateDoesNothing) {
  EXPECT_CODE(order(1, 1, false, kForeverMs), Code::kNone);
  ASSERT_GT(now_ms, 0);
  const int64_t asked = now_ms;
  world.world().run_for(seconds(5));
  EXPECT_CODE(order(1, 2, true, kForeverMs, asked + 4000), Code::kRequestTimedOut);
  EXPECT_EQ(write(), 0);
  EXPECT_CODE(order(1, 2, true, kForeverMs, now_ms + 4000), Code::kNone);
  EXPECT_NE(write(), 0);
}

TEST_F(TopicFencesTest, TopicWithAnOfflinePartitionIsNotFencedAtAll) {
  world.kill_broker("east-1");
  world.world().disk("east-1").put_contents("/data/orders-2/partition.metadata", "version: 0\ntopic_id: damaged\n");
  world.start_broker("east-1");
  EXPECT_CODE(order(1, 1, true, kForeverMs), Code::kKafkaStorageError);
  EXPECT_EQ(write(), 0);
}

}  // namespace
}  // namespace farshore::broker
