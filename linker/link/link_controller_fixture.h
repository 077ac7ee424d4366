// For tests of a LinkController: its store in memory, a target that is only told, and a Kafka for each end.
#pragma once

#include "linker/kafka_fixture.h"
#include "linker/link/link_controller.h"

namespace farshore::linker {

// One entry. A write may be carried out and its answer be lost; so may questions.
class MemoryStore final : public LinkStore {
 public:
  StoredEntry stored;
  int lose_answers = 0, unavailable = 0, writes = 0;

  Task<Result<std::vector<StoredEntry>>> list(std::string prefix, Deadline) override {
    std::vector<StoredEntry> found;
    if (unavailable > 0) {
      --unavailable;
      co_return Error(ErrorCode::kUnavailable);
    }
    if (stored.revision > 0 && stored.key.starts_with(prefix)) found.push_back(stored);
    co_return found;
  }
  Task<Result<int64_t>> replace(StoredEntry entry, Deadline) override {
    ++writes;
    if (entry.revision != stored.revision) co_return Error(ErrorCode::kConflict);
    entry.revision = stored.revision + 1;
    stored = std::move(entry);
    if (lose_answers > 0) {
      --lose_answers;
      co_return Error(ErrorCode::kConnectionReset);
    }
    co_return stored.revision;
  }
};

// Takes nothing; `fences` of its openings are refused.
class ToldSink final : public replicator::BatchSink {
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

// Makes every topic, and knows nothing else.
class ToldTarget final : public LinkTarget {
 public:
  ToldTarget(Env& env, Connector& connector, ToldSink& sink)
      : cluster_(env, connector, "target", {Endpoint{"west", 9092}}, ""), sink_(sink) {}
  ClusterAdmin& cluster() override { return cluster_; }
  replicator::BatchSink& sink() override { return sink_; }
  std::string kind() const override { return "kafka"; }
  Status fits(const ClusterIdentity&) const override { return ok(); }
  Task<Result<std::vector<TargetTopic>>> adopt(Deadline) override { co_return std::vector<TargetTopic>(); }
  Task<Result<TargetTopic>> make(WantedTopic wanted, LinkSource, Deadline) override {
    TargetTopic topic;
    topic.topic = topic.source_topic = wanted.topic;
    topic.id = TargetTopicId{{7}};
    topic.source_id = SourceTopicId(wanted.source.id);
    topic.partitions = wanted.source.partitions;
    co_return topic;
  }
  Task<Result<ConfigPlan>> configs(std::string, std::map<std::string, std::string> followed, bool, Deadline) override {
    ConfigPlan plan;
    plan.wanted = std::move(followed);
    co_return plan;
  }
  Task<Result<PromotionRecord>> end(EndOfTopic, replicator::Replicator&, Deadline) override {
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
  ToldSink& sink_;
};

class LinkControllerFixture : public KafkaFixture {
 public:
  LinkControllerFixture()
      : west_env_(world_.start_process("west", "broker")), west_(west_env_, Endpoint{"west", 9092}) {
    west_.cluster_id = "another";
    world_.spawn(west_env_, west_.run());
    EXPECT_EQ(world_.run_until([&] { return west_.listening(); }, seconds(10)), sim::RunEnd::kDone);
    kafka_.add_topic("orders", 1);
    link_.id = LinkId{{1}};
    link_.epoch = LinkEpoch(4);
    link_.spec.name = "a";
    link_.spec.source = {Endpoint{"kafka", 9092}};
    link_.spec.target = {Endpoint{"west", 9092}};
    link_.spec.topics.emplace_back().name = "orders";
    link_.spec.group_sync = false;  // the fake knows no groups
  }
  ~LinkControllerFixture() override {
    world_.kill(west_env_);
    world_.kill(env_);
  }
  LinkController& controller() {
    if (controller_) return *controller_;
    store_.stored.key = "link/a";
    if (store_.stored.value.empty()) store_.stored.value = encode(link_);
    store_.stored.revision = 1;
    controller_ = std::make_unique<LinkController>(env_, env_.network(), arena_, store_,
                                                   std::make_unique<ToldTarget>(env_, env_.network(), sink_), link_, 1,
                                                   replicator::ReplicatorOptions());
    return *controller_;
  }
  bool becomes(const std::function<bool()>& done) { return world_.run_until(done, seconds(60)) == sim::RunEnd::kDone; }

  sim::SimEnv& west_env_;
  kafka::FakeKafka west_;
  SlabArena arena_;
  StoredLink link_;
  MemoryStore store_;
  ToldSink sink_;
  std::unique_ptr<LinkController> controller_;
};

}  // namespace farshore::linker
