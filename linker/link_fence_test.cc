// A relayed partition is fenced: by a gateway that has taken the link over, or by one that has lost it and does not
// know.
#include "linker/kafka_fixture.h"
#include "linker/link_controller.h"

namespace farshore::linker {
namespace {

constexpr char kKey[] = "link/a";

class MemoryStore final : public LinkStore {
 public:
  StoredEntry stored;
  int unavailable = 0;  // so many questions get no answer

  Task<Result<std::vector<StoredEntry>>> list(std::string prefix, Deadline) override {
    std::vector<StoredEntry> found;
    if (unavailable > 0) {
      --unavailable;
      co_return Error(ErrorCode::kUnavailable);
    }
    if (stored.key.starts_with(prefix)) found.push_back(stored);
    co_return found;
  }
  Task<Result<int64_t>> replace(StoredEntry, Deadline) override { co_return Error(ErrorCode::kConflict); }
};

// Opens only when nobody fences.
class FencedSink final : public replicator::BatchSink {
 public:
  int fences = 0, opened = 0;

  void attach(replicator::PartitionPump&, replicator::SinkTarget) override {}
  void detach(const replicator::PumpKey&) override {}
  void ready(replicator::PartitionPump&) override {}
  Task<Result<replicator::TargetState>> open(replicator::PumpKey) override {
    if (fences > 0) {
      --fences;
      co_return Error(ErrorCode::kFenced, "a later epoch");
    }
    replicator::TargetState state;
    state.session = PumpSession(++opened);
    co_return state;
  }
  Task<Result<replicator::Truncated>> truncate(replicator::PumpKey, PumpSession, SourceOffset, LogEpoch) override {
    co_return Error(ErrorCode::kUnsupported);
  }
  Task<Result<replicator::TargetState>> advance_log_start(replicator::PumpKey, PumpSession, SourceOffset) override {
    co_return Error(ErrorCode::kUnsupported);
  }
  size_t appends_in_flight() const override { return 0; }
  Duration round_trip() const override { return {}; }
  Task<void> stop() override { co_return; }
};

class FencedTarget final : public LinkTarget {
 public:
  FencedTarget(Env& env, Connector& connector, FencedSink& sink)
      : cluster_(env, connector, "target", {Endpoint{"west", 9092}}, ""), sink_(sink) {}
  ClusterAdmin& cluster() override { return cluster_; }
  replicator::BatchSink& sink() override { return sink_; }
  std::string kind() const override { return "kafka"; }
  Status fits(const ClusterIdentity&) const override { return ok(); }
  Task<Result<std::vector<TargetTopic>>> adopt(Deadline) override { co_return std::vector<TargetTopic>(); }
  Task<Result<TargetTopic>> make(WantedTopic wanted, LinkSource, Deadline) override {
    TargetTopic topic;
    topic.topic = topic.source_topic = wanted.topic;
    topic.id = TopicId{{7}};
    topic.source_id = wanted.source.id;
    topic.partitions = wanted.source.partitions;
    co_return topic;
  }
  Task<Result<ConfigPlan>> configs(std::string, std::map<std::string, std::string>, bool, Deadline) override {
    co_return ConfigPlan();
  }
  Task<Result<api::PromotionRecord>> end(EndOfTopic, replicator::Replicator&, Deadline) override {
    co_return Error(ErrorCode::kUnsupported);
  }
  Task<Result<std::optional<TargetOffset>>> to_target(replicator::PumpKey, SourceOffset) override {
    co_return Error(ErrorCode::kUnsupported);
  }
  Task<Result<api::TranslateOffsetReply>> translate(TargetTopic, api::TranslateOffsetRequest, SourceOffset) override {
    co_return Error(ErrorCode::kUnsupported);
  }
  Task<Status> verify(TargetTopic, int32_t, LinkSource, Verified, Deadline) override {
    co_return Error(ErrorCode::kUnsupported);
  }
  void close() override { cluster_.close(); }

 private:
  ClusterAdmin cluster_;
  FencedSink& sink_;
};

class LinkFenceTest : public KafkaFixture {
 public:
  LinkFenceTest() : west_env_(world_.start_process("west", "broker")), west_(west_env_, Endpoint{"west", 9092}) {
    west_.cluster_id = "another";
    world_.spawn(west_env_, west_.run());
    EXPECT_EQ(world_.run_until([&] { return west_.listening(); }, seconds(10)), sim::RunEnd::kDone);
    kafka_.add_topic("orders", 1);
    link_.id = LinkId{{1}};
    link_.epoch = LinkEpoch(4);
    link_.spec.name = "a";
    link_.spec.mode = LinkMode::kRelay;
    link_.spec.group_sync = false;
    link_.spec.source = {Endpoint{"kafka", 9092}};
    link_.spec.target = {Endpoint{"west", 9092}};
    link_.spec.topics.emplace_back().name = "orders";
    store_.stored.key = kKey;
    store_.stored.value = encode(link_);
    store_.stored.revision = 1;
    controller_ = std::make_unique<LinkController>(env_, env_.network(), arena_, store_,
                                                   std::make_unique<FencedTarget>(env_, env_.network(), sink_), link_,
                                                   1, replicator::ReplicatorOptions());
  }
  ~LinkFenceTest() override {
    world_.kill(west_env_);
    world_.kill(env_);
  }
  bool becomes(const std::function<bool()>& done) { return world_.run_until(done, seconds(60)) == sim::RunEnd::kDone; }
  std::string state() const {
    const auto mirror = controller_->describe_mirror("orders");
    return mirror ? mirror->state() : "";
  }

  sim::SimEnv& west_env_;
  kafka::FakeKafka west_;
  SlabArena arena_;
  StoredLink link_;
  MemoryStore store_;
  FencedSink sink_;
  std::unique_ptr<LinkController> controller_;
};

TEST_F(LinkFenceTest, WhoIsInControlTakesThePartitionBack) {
  sink_.fences = 3;
  store_.unavailable = 2;
  controller_->start();
  EXPECT_TRUE(becomes([&] { return sink_.opened > 0; })) << state();
  EXPECT_EQ(state(), "ACTIVE");
  EXPECT_EQ(controller_->state(), LinkState::kActive);
}

TEST_F(LinkFenceTest, WhoIsNotInControlAnyMoreStops) {
  sink_.fences = 1;
  StoredLink theirs = link_;
  theirs.epoch = LinkEpoch(5);
  store_.stored.value = encode(theirs);
  controller_->start();
  EXPECT_TRUE(becomes([&] { return state() == "FAILED"; })) << state();
  EXPECT_EQ(controller_->state(), LinkState::kFailed);
  EXPECT_EQ(sink_.opened, 0);
}

}  // namespace
}  // namespace farshore::linker
