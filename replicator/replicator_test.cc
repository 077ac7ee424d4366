// What the replicator knows of a source that lost its end, before its fetcher hears of it.
#include "replicator/replicator.h"

#include <gtest/gtest.h>

#include "base/sim/net.h"
#include "base/sim/world.h"
#include "proto/batch/builder.h"
#include "proto/kafka/fake/fake_kafka.h"

namespace farshore::replicator {
namespace {

constexpr char kTopic[] = "orders";
constexpr int16_t kFetchKey = 1;

// One partition of a target, in memory, that takes everything.
class MemorySink final : public BatchSink {
 public:
  int64_t end = 0, cuts = 0;
  int32_t last_epoch = -1;

  void attach(PartitionPump&, SinkTarget) override {}
  void detach(const LinkPartition&) override {}
  void ready(PartitionPump& pump) override {
    while (auto pumped = pump.take(1 << 20)) {
      if (!pumped->run.empty()) {
        end = pumped->run.next().value();
        last_epoch = pumped->run.batches.back().epoch().value();
      }
      AppendAck ack;
      ack.end = ack.high_watermark = SourceOffset(end);
      pump.on_appended(pumped->generation, ack);
    }
  }
  Task<Result<TargetState>> open(LinkPartition) override { co_return state(); }
  Task<Result<Truncated>> truncate(LinkPartition, PumpSession, SourceOffset to, LogEpoch epoch) override {
    Truncated cut;
    cut.lost.from = to;
    cut.lost.to = SourceOffset(end);
    end = to.value();
    last_epoch = epoch.value();
    ++cuts;
    cut.state = state();
    co_return cut;
  }
  Task<Result<TargetState>> advance_log_start(LinkPartition, PumpSession, SourceOffset) override { co_return state(); }
  size_t appends_in_flight() const override { return 0; }
  Duration round_trip() const override { return {}; }
  Task<void> stop() override { co_return; }

 private:
  TargetState state() {
    TargetState state;
    state.end = state.high_watermark = SourceOffset(end);
    state.last_epoch = LogEpoch(last_epoch);
    state.session = PumpSession(++sessions_);
    return state;
  }
  int64_t sessions_ = 0;
};

class ReplicatorTest : public testing::Test, private PumpListener {
 public:
  ReplicatorTest()
      : world_(options()),
        env_(world_.start_process("gateway", "test")),
        east_env_(world_.start_process("east", "broker")),
        east_(east_env_, Endpoint{"east", 9092}) {
    world_.spawn(east_env_, east_.run());
    EXPECT_EQ(world_.run_until([&] { return east_.listening(); }, seconds(10)), sim::RunEnd::kDone);
    east_.add_topic(kTopic, 1);
    cluster_ = std::make_unique<kafka::ClusterClient>(env_, env_.network(), cluster());
    replicator_ = std::make_unique<Replicator>(env_, arena_, *cluster_, sink_, LinkId{{1}}, ReplicatorOptions(),
                                               static_cast<PumpListener&>(*this));
    PartitionSpec spec;
    spec.source_topic = kTopic;
    spec.source_topic_id = SourceTopicId(east_.topics.at(kTopic).id);
    key_ = replicator_->add(std::move(spec));
    world_.spawn(env_, replicator_->run());
  }
  ~ReplicatorTest() override {
    world_.kill(east_env_);
    world_.kill(env_);
  }
  void append(int batches) {
    for (int i = 0; i < batches; ++i) {
      BatchBuilder batch;
      batch.leader_epoch(east_.partition(kTopic, 0).leader_epoch).add(i, std::nullopt, "value");
      east_.append(kTopic, 0, batch.build());
    }
  }
  bool mirrored_to(int64_t end) {
    return world_.run_until([&] { return sink_.end == end; }, seconds(60)) == sim::RunEnd::kDone;
  }
  bool source_still_has() {
    bool has = false;
    struct Ask {
      static Task<void> run(ReplicatorTest& t, bool& has) {
        auto answer = co_await t.replicator_->source_still_has(t.key_, t.env_.in(seconds(20)));
        EXPECT_TRUE(answer) << answer.error().to_string();
        has = answer && *answer;
      }
    };
    EXPECT_TRUE(world_.run(env_, Ask::run(*this, has), seconds(60)));
    return has;
  }
  kafka::FakeKafka& east() { return east_; }
  MemorySink& target() { return sink_; }

 private:
  static sim::SimOptions options() {
    sim::SimOptions options;
    options.seed = 1;
    options.buggify = false;
    return options;
  }
  static kafka::ClusterOptions cluster() {
    kafka::ClusterOptions options;
    options.bootstrap.push_back(Endpoint{"east", 9092});
    return options;
  }
  void pump_caught_up(const LinkPartition&) override {}
  void pump_diverged(const LinkPartition&, LostRange, bool) override {}
  void pump_retention_gap(const LinkPartition&, SourceOffset, SourceOffset, bool) override {}
  void pump_log_start_moved(const LinkPartition&, SourceOffset) override {}
  void pump_topic_gone(const LinkPartition&, const Error&) override {}
  void pump_failed(const LinkPartition&, const Error& why) override { ADD_FAILURE() << why.to_string(); }

  sim::SimWorld world_;
  sim::SimEnv& env_;
  sim::SimEnv& east_env_;
  SlabArena arena_;
  MemorySink sink_;
  kafka::FakeKafka east_;
  std::unique_ptr<kafka::ClusterClient> cluster_;
  std::unique_ptr<Replicator> replicator_;
  LinkPartition key_;
};

TEST_F(ReplicatorTest, SourceThatLostItsEndIsFoundBeforeTheNextFetch) {
  append(10);
  ASSERT_TRUE(mirrored_to(10));
  EXPECT_TRUE(source_still_has());
  // A fetch waits at a host that is down, so no response reports the end of the next leader.
  east().fate = [](int16_t api_key) {
    return api_key == kFetchKey ? kafka::FakeKafka::Fate::kSilence : kafka::FakeKafka::Fate::kAnswer;
  };
  append(1);
  ASSERT_TRUE(mirrored_to(11));  // with the answer to the one that was under way
  east().partition(kTopic, 0).elect_unclean(5);
  EXPECT_EQ(target().end, 11);
  EXPECT_FALSE(source_still_has());
  append(20);  // as long as before, with another history
  EXPECT_FALSE(source_still_has());
  EXPECT_EQ(target().cuts, 0);

  east().fate = nullptr;
  ASSERT_TRUE(mirrored_to(25));
  EXPECT_EQ(target().cuts, 1);
  EXPECT_TRUE(source_still_has());
}

}  // namespace
}  // namespace farshore::replicator
