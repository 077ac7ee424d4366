// A fence that the target has forgotten: idle transactional ids expire, and so do idle producers of a partition. Two
// gateways must not both write, whoever of them notices first.
#include "replicator/relay/ownership.h"

#include "replicator/relay/testing/relay_world.h"

namespace farshore::replicator {
namespace {

constexpr int64_t kNowMs = 1'780'000'000'000;
constexpr int16_t kInitProducerId = 22, kDescribeTransactions = 65;  // API keys

bool any_fenced(const RelayGateway& gateway) {
  return std::any_of(gateway.failures.begin(), gateway.failures.end(),
                     [](const Error& why) { return why == ErrorCode::kFenced; });
}

// Both gateways live, the target has forgotten the ids, and the source goes on. Returns what is wrong at the target.
std::string two_gateways_after_a_week(uint64_t seed, bool ask) {
  RelayWorld world(seed);
  RelayGateway::Options options;
  options.sink.test_only_skip_ownership = !ask;
  for (int i = 0; i < 10; ++i) world.source[0].append(2, 3, kNowMs);
  RelayGateway& first = world.start_gateway(options);
  EXPECT_TRUE(world.until_caught_up());
  world.kafka.transactional_ids.clear();
  RelayGateway& second = world.start_gateway(options);
  for (int i = 0; i < 90; ++i) {
    world.source[0].append(1, 3, kNowMs);
    world.world.run_for(seconds(1));
  }
  EXPECT_TRUE(world.until([&] { return second.caught_up() || !second.failures.empty(); }));
  if (ask) {
    EXPECT_TRUE(any_fenced(first));
    EXPECT_TRUE(second.failures.empty());
    EXPECT_GE(first.journal.times_lost, 1);
  }
  return world.wrong();
}

TEST(RelayOwnership, GatewayWhoseIdWasForgottenStopsBeforeTheNextOneWrites) {
  for (uint64_t seed = 1; seed <= 20; ++seed) EXPECT_EQ(two_gateways_after_a_week(seed, true), "") << "seed " << seed;
}

TEST(RelayOwnership, InjectedSkipOfTheQuestionIsFound) { EXPECT_NE(two_gateways_after_a_week(1, false), ""); }

// The partition forgets the fence before the former owner wakes up, too soon to count as suspended.
std::string sleeper_after_a_forgotten_fence(bool ask) {
  RelayWorld world(2);
  RelayGateway::Options options;
  options.sink.test_only_skip_ownership = !ask;
  for (int i = 0; i < 10; ++i) world.source[0].append(2, 3, kNowMs);
  RelayGateway& first = world.start_gateway(options);
  EXPECT_TRUE(world.until_caught_up());
  first.env.pause();
  RelayGateway& second = world.start_gateway(options);
  world.source[0].append(2, 3, kNowMs);
  EXPECT_TRUE(world.until_caught_up());
  world.world.run_for(seconds(20));
  world.source[0].append(2, 3, kNowMs);
  EXPECT_TRUE(world.until([&] { return second.caught_up(); }));
  world.target().producers.clear();
  first.env.resume();
  world.world.run_for(seconds(60));
  return world.wrong();
}

TEST(RelayOwnership, GatewayThatSleptAsksBeforeItSends) {
  EXPECT_EQ(sleeper_after_a_forgotten_fence(true), "");
  EXPECT_NE(sleeper_after_a_forgotten_fence(false), "") << "the target does not refuse it any more";
}

TEST(RelayOwnership, NothingIsSentWhileTheCoordinatorIsSilent) {
  RelayWorld world(3);
  world.source[0].append(2, 3, kNowMs);
  world.start_gateway();
  ASSERT_TRUE(world.until_caught_up());
  bool silent = true;
  world.kafka.fate = [&silent](int16_t key) {
    return key == kDescribeTransactions && silent ? FakeKafka::Fate::kLoseRequest : FakeKafka::Fate::kAnswer;
  };
  world.world.run_for(seconds(25));
  const int64_t end = world.target().end;
  world.source[0].append(2, 3, kNowMs);
  world.world.run_for(seconds(30));
  EXPECT_EQ(world.target().end, end);
  EXPECT_TRUE(world.gateway().failures.empty());
  silent = false;
  ASSERT_TRUE(world.until_caught_up());
  EXPECT_EQ(world.wrong(), "");
  EXPECT_EQ(world.target().end, end + 2) << "without another takeover";
}

TEST(RelayOwnership, IdleIdIsUsedOftenEnoughToBeRemembered) {
  RelayWorld world(4);
  world.kafka.broker_configs["transactional.id.expiration.ms"] = "4000";
  world.source[0].append(2, 3, kNowMs);
  world.start_gateway();
  ASSERT_TRUE(world.until_caught_up());
  const int64_t end = world.target().end;
  const int before = world.kafka.requests[kInitProducerId];
  const Duration began = world.world.now();
  ASSERT_TRUE(world.until([&] { return world.kafka.requests[kInitProducerId] > before; }));
  const Duration first_use = world.world.now() - began;
  world.world.run_for(seconds(200));
  EXPECT_GE(world.kafka.requests[kInitProducerId] - before, 200 / 4 * 2);
  EXPECT_LE(world.kafka.requests[kInitProducerId] - before, 200 / 4 * 8);
  EXPECT_EQ(world.target().end, end) << "no marker is written";
  EXPECT_LT(first_use, seconds(4)) << "the lifetime is asked for before the first round";
  world.source[0].append(2, 3, kNowMs);
  ASSERT_TRUE(world.until_caught_up());
  EXPECT_EQ(world.target().end, end + 2);
}

TEST(RelayOwnership, PartitionsWithForgottenIdsWaitTogether) {
  RelayWorld world(5, 24);
  for (auto& [index, source] : world.source) source.append(2, 3, kNowMs);
  world.start_gateway();
  ASSERT_TRUE(world.until_caught_up());
  world.kill_gateways();
  world.kafka.transactional_ids.clear();
  RelayGateway::Options options;
  options.sink.takeovers_at_once_max = 4;
  for (auto& [index, source] : world.source) source.append(2, 3, kNowMs);
  const Duration began = world.world.now();
  world.start_gateway(options);
  ASSERT_TRUE(world.until_caught_up(seconds(600)));
  EXPECT_LT(world.world.now() - began, 2 * options.sink.old_producer_wait);
  EXPECT_EQ(world.wrong(), "");
}

}  // namespace
}  // namespace farshore::replicator
