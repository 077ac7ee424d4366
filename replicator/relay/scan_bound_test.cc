#include "replicator/relay/scan_bound.h"

#include "replicator/relay/testing/relay_world.h"

namespace farshore::replicator {
namespace {

constexpr int64_t kNowMs = 1'780'000'000'000;

RelayGateway::Options bounded() {
  RelayGateway::Options options;
  options.sink.others_offsets_max = 50;
  options.sink.ends_every = seconds(1);
  return options;
}

TEST(RelayScanBound, QuietPartitionsTakeoverReadsLittleOfWhatOthersWrote) {
  RelayWorld world(1);
  for (int i = 0; i < 5; ++i) world.source[0].append(2, 3, kNowMs);
  world.start_gateway(bounded());
  ASSERT_TRUE(world.until_caught_up());
  for (int i = 0; i < 20; ++i) {
    for (int n = 0; n < 30; ++n) world.target().write_foreign(kNowMs);
    world.world.run_for(seconds(2));
  }
  const TargetOffset from = scan_from(world.down.claims[RelayGateway::key_of(0)]);
  EXPECT_LE(world.target().end - from.value(), 50 + 30);
  const auto& anchors = world.down.claims[RelayGateway::key_of(0)].anchors;
  EXPECT_LE(anchors.size(), 2u) << "the anchors of a quiet partition replace each other";
  world.kill_gateways();
  world.source[0].append(2, 3, kNowMs);
  world.start_gateway(bounded());
  ASSERT_TRUE(world.until_caught_up());
  EXPECT_EQ(world.wrong(), "");
}

TEST(RelayScanBound, RelayGoesOnUnderTheAnchorThatItHad) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    RelayWorld world(seed);
    world.source[0].append(2, 3, kNowMs);
    world.start_gateway(bounded());
    ASSERT_TRUE(world.until_caught_up());
    for (int i = 0; i < 10; ++i) {
      for (int n = 0; n < 60; ++n) world.target().write_foreign(kNowMs);
      world.world.run_for(milliseconds(world.world.random().between(1, 2000)));
      world.source[0].append(2, 3, kNowMs);
    }
    ASSERT_TRUE(world.until_caught_up());
    EXPECT_EQ(world.wrong(), "") << "seed " << seed;
    EXPECT_TRUE(world.gateway().failures.empty());
    world.kill_gateways();
    world.source[0].append(2, 3, kNowMs);
    world.start_gateway(bounded());
    ASSERT_TRUE(world.until_caught_up());
    EXPECT_EQ(world.wrong(), "") << "seed " << seed;
  }
}

}  // namespace
}  // namespace farshore::replicator
