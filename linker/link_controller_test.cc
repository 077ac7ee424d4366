// What becomes of a link when the answer to a write of its definition is lost.
#include "linker/link_controller.h"

#include "linker/kafka_fixture.h"
#include "replicator/mirror_sink.h"

namespace farshore::linker {
namespace {

constexpr char kKey[] = "link/a";

// One entry in memory. A write may be carried out and its answer be lost.
class MemoryStore final : public LinkStore {
 public:
  StoredEntry stored;
  int lose_answers = 0, writes = 0;

  Task<Result<std::vector<StoredEntry>>> list(std::string prefix, Deadline) override {
    std::vector<StoredEntry> found;
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

// A target that nothing is asked of here.
class IdleTarget final : public LinkTarget {
 public:
  IdleTarget(Env& env, Connector& connector)
      : cluster_(env, connector, "target", {Endpoint{"kafka", 9092}}, ""),
        data_(env, connector, data_cluster_options({Endpoint{"kafka", 9092}}, "")),
        sink_(env, data_, LinkId{{1}}, LinkEpoch(1), replicator::MirrorSinkOptions()) {}
  ClusterAdmin& cluster() override { return cluster_; }
  replicator::BatchSink& sink() override { return sink_; }
  std::string kind() const override { return "farshore"; }
  Status fits(const ClusterIdentity&) const override { return ok(); }
  Task<Result<std::vector<TargetTopic>>> adopt(Deadline) override { co_return nothing(); }
  Task<Result<TargetTopic>> make(WantedTopic, LinkSource, Deadline) override { co_return nothing(); }
  Task<Result<ConfigPlan>> configs(std::string, std::map<std::string, std::string>, bool, Deadline) override {
    co_return nothing();
  }
  Task<Result<api::PromotionRecord>> end(EndOfTopic, replicator::Replicator&, Deadline) override {
    co_return nothing();
  }
  Task<Result<std::optional<TargetOffset>>> to_target(replicator::PumpKey, SourceOffset) override {
    co_return nothing();
  }
  Task<Result<api::TranslateOffsetReply>> translate(TargetTopic, api::TranslateOffsetRequest, SourceOffset) override {
    co_return nothing();
  }
  Task<Status> verify(TargetTopic, int32_t, LinkSource, Verified, Deadline) override { co_return nothing(); }
  void close() override {}

 private:
  static Error nothing() { return Error(ErrorCode::kUnsupported); }
  ClusterAdmin cluster_;
  kafka::ClusterClient data_;
  replicator::MirrorSink sink_;
};

class LinkControllerTest : public KafkaFixture {
 public:
  LinkControllerTest() {
    link_.id = LinkId{{1}};
    link_.epoch = LinkEpoch(4);
    link_.spec.name = "a";
    link_.spec.source = {Endpoint{"kafka", 9092}};
    link_.spec.target = {Endpoint{"west", 9092}};
    link_.spec.topics.emplace_back().name = "orders";
    store_.stored.key = kKey;
    store_.stored.value = encode(link_);
    store_.stored.revision = 1;
    controller_ = std::make_unique<LinkController>(env_, env_.network(), arena_, store_,
                                                   std::make_unique<IdleTarget>(env_, env_.network()), link_, 1,
                                                   replicator::ReplicatorOptions());
  }
  static LinkController::Edit pause(bool paused) {
    return [paused](StoredLink& link) {
      link.state = paused ? LinkState::kPaused : LinkState::kActive;
      return ok();
    };
  }
  StoredLink stored() { return decode_stored_link(store_.stored.value).value(); }

  SlabArena arena_;
  StoredLink link_;
  MemoryStore store_;
  std::unique_ptr<LinkController> controller_;
};

TEST_F(LinkControllerTest, AWriteWhoseAnswerWasLostIsNotTakenForAnotherGateways) {
  struct Play {
    static Task<void> run(LinkControllerTest& t) {
      t.store_.lose_answers = 1;
      auto lost = co_await t.controller_->update(pause(true), t.soon());
      EXPECT_ERROR(lost, ErrorCode::kConnectionReset);
      EXPECT_EQ(t.stored().state, LinkState::kPaused);
      auto resumed = co_await t.controller_->update(pause(false), t.soon());
      EXPECT_TRUE(resumed) << resumed.error().to_string();
      EXPECT_EQ(t.stored().state, LinkState::kActive);
      EXPECT_EQ(t.controller_->state(), LinkState::kActive);
      EXPECT_EQ(t.store_.writes, 3);
    }
  };
  play(Play::run(*this));
}

TEST_F(LinkControllerTest, AHigherEpochIsAnotherGateway) {
  struct Play {
    static Task<void> run(LinkControllerTest& t) {
      StoredLink theirs = t.link_;
      theirs.epoch = LinkEpoch(5);
      t.store_.stored.value = encode(theirs);
      t.store_.stored.revision = 2;
      auto refused = co_await t.controller_->update(pause(true), t.soon());
      EXPECT_ERROR(refused, ErrorCode::kConflict);
      EXPECT_EQ(t.controller_->state(), LinkState::kFailed);
      EXPECT_EQ(t.stored().epoch, LinkEpoch(5));
    }
  };
  play(Play::run(*this));
}

TEST_F(LinkControllerTest, ALinkThatIsGoneIsAConflictToo) {
  struct Play {
    static Task<void> run(LinkControllerTest& t) {
      t.store_.stored = {};
      auto refused = co_await t.controller_->update(pause(true), t.soon());
      EXPECT_ERROR(refused, ErrorCode::kConflict);
    }
  };
  play(Play::run(*this));
}

}  // namespace
}  // namespace farshore::linker
