#include "replicator/relay/relay_partition.h"

#include <gtest/gtest.h>

#include "base/sim/net.h"
#include "base/sim/world.h"
#include "replicator/testing/pump_fixture.h"

namespace farshore::replicator {
namespace {

constexpr size_t kInFlightMax = 2;

class NoSink final : public SinkLaneOwner {
 public:
  bool lane_may_send(const SinkLane&) override { return false; }
  void lane_send(SinkLane&) override {}
  void lane_idle(SinkLane&) override {}
  void lane_unreachable(SinkLane&, const LinkPartition&, const Error&) override {}
};

// A partition that was taken over at source offset 100 and target offset 40.
class RelayPartitionTest : public PumpTest {
 protected:
  RelayPartitionTest()
      : env_(world_.start_process("gateway", "test")),
        cluster_(env_, env_.network(), options()),
        gate_(env_),
        lane_(env_, cluster_, 1, lane_options_, no_sink_, gate_) {
    take_over(1);
  }
  ~RelayPartitionTest() override { world_.kill(env_); }
  static kafka::ClusterOptions options() {
    kafka::ClusterOptions out;
    out.bootstrap.push_back(Endpoint{"nowhere", 9092});
    return out;
  }

  void take_over(uint64_t attempt) {
    partition_.begin_takeover(attempt);
    RelayTakenOver taken;
    taken.producer = {7, 3};
    taken.resume.source = SourceOffset(100);
    taken.resume.source_epoch = LogEpoch(2);
    taken.target_end = TargetOffset(40);
    taken.epoch = LeadershipEpoch(1);
    partition_.end_takeover(taken, MonoTime::max(), lane_);
    pump().on_target(pump().generation(), partition_.state(), {});
  }
  const BatchHeader* take_next() {
    RelaySinkOptions options;
    options.batches_in_flight_max = kInFlightMax;
    auto taken = partition_.take_next(options, merged_);
    return taken ? *taken : nullptr;
  }
  // A batch at `base` is fetched, and held by the partition.
  void hold(int64_t base, int records = 1, int32_t epoch = 3) {
    fetched(batch(base, records, epoch), state(1000));
    ASSERT_TRUE(take_next());
  }
  RelayPartition::Acknowledged acknowledge() {
    auto out = partition_.pop_acknowledged();
    EXPECT_TRUE(out);
    return out ? std::move(*out) : RelayPartition::Acknowledged();
  }

  sim::SimWorld world_{sim::SimOptions()};
  sim::SimEnv& env_;
  kafka::ClusterClient cluster_;
  Gate gate_;
  NoSink no_sink_;
  SinkLaneOptions lane_options_;
  SinkLane lane_;
  SlabArena merged_;
  RelayPartition partition_{pump(), SinkTarget{"orders", TargetTopicId{{9}}}, 1};
};

TEST_F(RelayPartitionTest, FirstBatchAfterATakeoverNeedsAnAnchor) {
  hold(100, 5);
  EXPECT_TRUE(partition_.needs_anchor(kAnchorIntervalMax));
  const RelayAnchor expected{{7, 3}, 0, SourceOffset(100), LogEpoch(3), TargetOffset(40)};
  EXPECT_EQ(partition_.anchor_for_next(), expected);
  partition_.use_anchor(expected);
  EXPECT_FALSE(partition_.needs_anchor(kAnchorIntervalMax));
  EXPECT_FALSE(partition_.needs_anchor(4)) << "a new anchor covers one batch, however large: it ends";
  partition_.stamp(1);
  hold(105, 5);
  EXPECT_TRUE(partition_.needs_anchor(9));
}

TEST_F(RelayPartitionTest, GapAndNewEpochNeedAnAnchorAndAPlainSuccessorDoesNot) {
  hold(100, 5);
  partition_.use_anchor(partition_.anchor_for_next());
  partition_.stamp(1);
  hold(105, 5);
  EXPECT_FALSE(partition_.needs_anchor(kAnchorIntervalMax));
  partition_.stamp(2);
  partition_.flight(1)->base = TargetOffset(40);
  partition_.flight(2)->base = TargetOffset(45);
  acknowledge();
  acknowledge();
  hold(120);
  EXPECT_TRUE(partition_.needs_anchor(kAnchorIntervalMax));
  partition_.use_anchor(partition_.anchor_for_next());
  EXPECT_EQ(partition_.anchor_for_next().sequence, 10);
  EXPECT_EQ(partition_.anchor_for_next().target_from, TargetOffset(50));
  partition_.stamp(3);
  hold(121, 1, 4);
  EXPECT_TRUE(partition_.needs_anchor(kAnchorIntervalMax));
}

TEST_F(RelayPartitionTest, StampedBatchCarriesProducerAndSequence) {
  hold(100, 5);
  partition_.use_anchor(partition_.anchor_for_next());
  partition_.stamp(1);
  hold(105, 2);
  const SliceList bytes = partition_.stamp(2);
  auto parsed = parse_batches(bytes, ParseBatches{});
  ASSERT_TRUE(parsed);
  ASSERT_EQ(parsed->batches.size(), 1u);
  EXPECT_EQ(parsed->batches[0].producer_id, 7);
  EXPECT_EQ(parsed->batches[0].producer_epoch, 3);
  EXPECT_EQ(parsed->batches[0].base_sequence, 5);
  EXPECT_EQ(partition_.flights(), 2u);
}

TEST_F(RelayPartitionTest, MoreBatchesThanAllowedAreNotTaken) {
  for (int64_t i = 0; i < 2; ++i) {
    hold(100 + i);
    partition_.stamp(static_cast<uint64_t>(i));
  }
  fetched(batch(102), state(1000));
  EXPECT_FALSE(take_next());
}

TEST_F(RelayPartitionTest, AnswersOutOfOrderAreHandedOnInOrder) {
  hold(100, 5);
  partition_.stamp(1);
  hold(105, 5);
  partition_.stamp(2);
  partition_.flight(2)->base = TargetOffset(50);
  EXPECT_FALSE(partition_.pop_acknowledged());
  partition_.flight(1)->base = TargetOffset(40);
  const TranslationRun first{SourceOffset(100), TargetOffset(40), 5, LogEpoch(3), LeadershipEpoch(1)};
  const TranslationRun second{SourceOffset(105), TargetOffset(50), 5, LogEpoch(3), LeadershipEpoch(1)};
  EXPECT_EQ(acknowledge().run, first);
  EXPECT_EQ(partition_.state().end, SourceOffset(105));
  EXPECT_EQ(acknowledge().run, second);
  EXPECT_EQ(partition_.target_end(), TargetOffset(55));
  EXPECT_TRUE(partition_.idle());
}

TEST_F(RelayPartitionTest, ClosedPartitionForgetsItsFlights) {
  hold(100, 5);
  partition_.stamp(1);
  partition_.close();
  EXPECT_FALSE(partition_.open());
  EXPECT_FALSE(partition_.flight(1));
}

TEST_F(RelayPartitionTest, BatchHeldWhenThePumpWasResetIsDropped) {
  hold(100, 5);
  pump().on_append_failed(pump().generation(), Error(ErrorCode::kUnavailable), std::nullopt);
  EXPECT_FALSE(take_next());
}

TEST_F(RelayPartitionTest, SourceStateWithoutBatchesIsAnsweredAtOnce) {
  fetched(BatchRun(), state(1000));
  EXPECT_TRUE(pump().can_send());
  EXPECT_FALSE(take_next());
  EXPECT_FALSE(pump().can_send());
  EXPECT_EQ(pump().progress(now_).target_end, SourceOffset(100));
}

TEST_F(RelayPartitionTest, LogStartIsAdvancedOnlyFromAnEndThatThePumpKnows) {
  partition_.advance(SourceOffset(500));
  EXPECT_EQ(partition_.state().end, SourceOffset(500));
  take_over(2);
  hold(100, 5);
  partition_.stamp(1);
  partition_.flight(1)->base = TargetOffset(40);
  acknowledge();
  partition_.advance(SourceOffset(500));  // the pump learns first that the target ends at 105
  EXPECT_EQ(partition_.state().end, SourceOffset(105));
  partition_.advance(SourceOffset(500));
  EXPECT_EQ(partition_.state().end, SourceOffset(500));
}

}  // namespace
}  // namespace farshore::replicator
