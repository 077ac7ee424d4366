#include "broker/metadata/metadata.h"

#include <gtest/gtest.h>

#include "base/sim/world.h"
#include "broker/metadata/internal/codec.h"

namespace farshore::broker {
namespace {

constexpr Duration kLimit = seconds(60);

// Passes everything on, and counts what etcd would refuse.
class LimitedStore final : public MetaStore {
 public:
  LimitedStore(std::unique_ptr<MetaStore> store, size_t& beyond, size_t& commits_left)
      : store_(std::move(store)), beyond_(beyond), commits_left_(commits_left) {}
  Task<Result<MetaTxnReply>> commit(MetaTxn txn, Deadline deadline) override {
    if (txn.conditions.size() > kMetaTxnOpsMax || txn.then.size() > kMetaTxnOpsMax) ++beyond_;
    if (commits_left_ == 0) co_return Error(ErrorCode::kUnavailable, "no more commits in this test");
    --commits_left_;
    co_return co_await store_->commit(std::move(txn), deadline);
  }
  Task<Result<MetaSnapshot>> range(std::string begin, std::string end, Deadline deadline, size_t entries_max) override {
    return store_->range(std::move(begin), std::move(end), deadline, entries_max);
  }
  Notifier& changes() override { return store_->changes(); }

 private:
  std::unique_ptr<MetaStore> store_;
  size_t& beyond_;
  size_t& commits_left_;
};

// One broker's metadata on a simulated host; start() again after a kill finds the same disk.
class Node {
 public:
  explicit Node(uint64_t seed) : world_(options(seed)) {}
  ~Node() { stop(); }

  // False if the process died on the way.
  bool start() {
    env_ = &world_.start_process("east-1", "broker");
    bool started = false;
    bool ended = run(start_task(started));
    return ended && started;
  }
  void stop() {
    if (env_ && !env_->dead() && manager_) (void)run(manager_->stop());
    manager_.reset();
  }
  void kill() {
    world_.kill(*env_);
    manager_.reset();
  }
  bool run(Task<void> task) { return world_.run(*env_, std::move(task), kLimit); }
  sim::SimWorld& world() { return world_; }
  sim::SimEnv& env() { return *env_; }
  MetadataManager& manager() { return *manager_; }
  MetaStore& store() { return *store_; }
  ImagePtr image() { return manager_->image(); }
  Deadline limit() { return env_->in(kLimit); }
  int64_t salt = 0;   // for start()
  size_t beyond = 0;  // transactions that etcd would refuse
  size_t commits_left = SIZE_MAX;

 private:
  static sim::SimOptions options(uint64_t seed) {
    sim::SimOptions options;
    options.seed = seed;
    return options;
  }
  Task<void> start_task(bool& started) {
    auto kv = co_await env_->kv().open("/data/meta");
    if (!kv) co_return;
    auto store = co_await open_kv_meta_store(*env_, std::move(*kv));
    if (!store) co_return;
    store_ = store->get();
    BrokerImage self;
    self.id = BrokerId(1);
    self.advertised = Endpoint{"east-1", 9092};
    auto limited = std::make_unique<LimitedStore>(std::move(*store), beyond, commits_left);
    manager_ = std::make_unique<MetadataManager>(*env_, std::move(limited), self);
    manager_->use_salt(salt);
    auto status = co_await manager_->start("", limit());
    EXPECT_TRUE(status) << status.error().to_string();
    started = status.has_value();
  }

  sim::SimWorld world_;
  sim::SimEnv* env_ = nullptr;
  std::unique_ptr<MetadataManager> manager_;
  MetaStore* store_ = nullptr;
};

NewTopic topic_of(std::string name, int32_t partitions) {
  NewTopic topic;
  topic.name = std::move(name);
  topic.partitions = partitions;
  topic.configs = {{"retention.ms", "5"}};
  return topic;
}

Task<void> create(Node& node, std::string name, int32_t partitions, Result<TopicPtr>& result) {
  NewTopic topic = topic_of(std::move(name), partitions);
  result = co_await node.manager().create_topic(std::move(topic), node.limit());
}

Result<TopicPtr> created(Node& node, const std::string& name, int32_t partitions) {
  Result<TopicPtr> result = Error(ErrorCode::kInternal, "did not end");
  (void)node.run(create(node, name, partitions, result));
  return result;
}

TEST(MetadataManager, RestartKeepsTheClusterOfTheFirstStart) {
  Node node(1);
  ASSERT_TRUE(node.start());
  std::string id = node.image()->cluster_id;
  Uuid incarnation = node.image()->incarnation;
  int64_t salt = node.image()->producer_id_salt;
  EXPECT_EQ(id.size(), 22u);
  EXPECT_GT(salt, 0);
  EXPECT_LT(salt, 1 << 22);
  ASSERT_EQ(node.image()->brokers.size(), 1u);
  EXPECT_EQ(node.image()->brokers[0].advertised.port, 9092);
  node.kill();
  ASSERT_TRUE(node.start());
  EXPECT_EQ(node.image()->cluster_id, id);
  EXPECT_EQ(node.image()->incarnation, incarnation);
  EXPECT_EQ(node.image()->producer_id_salt, salt);
}

TEST(MetadataManager, TopicOfManyPartitionsIsMadeGrownAndRaisedInTransactionsOfEtcdsSize) {
  Node node(5);
  ASSERT_TRUE(node.start());
  ASSERT_TRUE(created(node, "big", 1000));
  auto grow = [](Node& n) -> Task<void> {
    const TopicId id = n.image()->topic("big")->id;
    auto grown = co_await n.manager().create_partitions(id, 1500, n.limit());
    EXPECT_TRUE(grown) << grown.error().to_string();
  };
  ASSERT_TRUE(node.run(grow(node)));
  auto expect = [&](int32_t epoch) {
    const TopicImage* topic = node.image()->topic("big");
    ASSERT_TRUE(topic);
    ASSERT_EQ(topic->partitions.size(), 1500u);
    for (const auto& partition : topic->partitions) EXPECT_EQ(partition.leadership_epoch, LeadershipEpoch(epoch));
  };
  expect(0);
  node.kill();
  ASSERT_TRUE(node.start());  // raises every epoch: so the image had the right revisions, and the store has them
  expect(1);
  EXPECT_EQ(node.beyond, 0u);
}

TEST(MetadataManager, InterruptedCreationAndGrowthLeaveNothingThatCounts) {
  for (size_t commits = 0; commits < 12; ++commits) {
    SCOPED_TRACE("commits " + std::to_string(commits));
    Node node(6);
    ASSERT_TRUE(node.start());
    ASSERT_TRUE(created(node, "small", 1));
    node.commits_left = commits;
    const bool made = created(node, "big", 1000).has_value();
    auto grow = [](Node& n) -> Task<void> {
      (void)co_await n.manager().create_partitions(n.image()->topic("small")->id, 700, n.limit());
    };
    if (!made) node.commits_left = 3;
    ASSERT_TRUE(node.run(grow(node)));
    node.kill();
    node.commits_left = SIZE_MAX;
    ASSERT_TRUE(node.start());
    EXPECT_EQ(node.image()->topic("big") != nullptr, made);
    const size_t partitions = node.image()->topic("small")->partitions.size();
    EXPECT_TRUE(partitions == 1 || partitions == 700) << partitions;
    ASSERT_TRUE(node.run(grow(node)));  // over what an interrupted one left
    EXPECT_EQ(node.image()->topic("small")->partitions.size(), 700u);
    if (!made) {
      EXPECT_TRUE(created(node, "big", 1000));
    }
  }
}

TEST(MetadataManager, ConfiguredSaltIsStored) {
  Node node(1);
  node.salt = 7;
  ASSERT_TRUE(node.start());
  EXPECT_EQ(node.image()->producer_id_salt, 7);
  node.kill();
  node.salt = 8;  // a link refused 7
  ASSERT_TRUE(node.start());
  EXPECT_EQ(node.image()->producer_id_salt, 8);
  node.kill();
  node.salt = 0;
  ASSERT_TRUE(node.start());
  EXPECT_EQ(node.image()->producer_id_salt, 8);
}

TEST(MetadataManager, EveryStartRaisesTheLeadershipEpochs) {
  Node node(2);
  ASSERT_TRUE(node.start());
  auto topic = created(node, "orders", 3);
  ASSERT_TRUE(topic) << topic.error().to_string();
  EXPECT_EQ((*topic)->partitions[2].leadership_epoch, LeadershipEpoch(0));
  for (int starts = 1; starts <= 3; ++starts) {
    node.kill();
    ASSERT_TRUE(node.start());
    const TopicImage* found = node.image()->topic("orders");
    ASSERT_TRUE(found);
    EXPECT_EQ(found->id, (*topic)->id);
    EXPECT_EQ(found->configs, (*topic)->configs);
    for (const auto& partition : found->partitions) EXPECT_EQ(partition.leadership_epoch, LeadershipEpoch(starts));
  }
}

Task<void> remove_topic(Node& node, TopicId id, Status& result) {
  result = co_await node.manager().delete_topic(id, node.limit());
}

TEST(MetadataManager, TopicCreatedAgainHasAnotherId) {
  Node node(3);
  ASSERT_TRUE(node.start());
  auto first = created(node, "orders", 1);
  ASSERT_TRUE(first);
  EXPECT_EQ(created(node, "orders", 1).error().code, ErrorCode::kAlreadyExists);
  Status removed = ok();
  ASSERT_TRUE(node.run(remove_topic(node, (*first)->id, removed)));
  ASSERT_TRUE(removed) << removed.error().to_string();
  EXPECT_FALSE(node.image()->topic("orders"));
  EXPECT_FALSE(node.image()->topic((*first)->id));
  ASSERT_TRUE(node.run(remove_topic(node, (*first)->id, removed)));
  EXPECT_EQ(removed.error().code, ErrorCode::kNotFound);
  auto second = created(node, "orders", 2);
  ASSERT_TRUE(second);
  EXPECT_NE((*second)->id, (*first)->id);
}

Task<void> grow(Node& node, TopicId id, int32_t count, Result<TopicPtr>& result) {
  result = co_await node.manager().create_partitions(id, count, node.limit());
}

TEST(MetadataManager, PartitionsOnlyGrow) {
  Node node(4);
  ASSERT_TRUE(node.start());
  auto topic = created(node, "orders", 2);
  ASSERT_TRUE(topic);
  Result<TopicPtr> result = *topic;
  ASSERT_TRUE(node.run(grow(node, (*topic)->id, 5, result)));
  ASSERT_TRUE(result) << result.error().to_string();
  EXPECT_EQ(node.image()->topic("orders")->partitions.size(), 5u);
  EXPECT_EQ(node.image()->topic("orders")->partitions[4].leader, BrokerId(1));
  ASSERT_TRUE(node.run(grow(node, (*topic)->id, 5, result)));
  EXPECT_EQ(result.error().code, ErrorCode::kInvalidArgument);
  node.kill();
  ASSERT_TRUE(node.start());
  EXPECT_EQ(node.image()->topic("orders")->partitions.size(), 5u);
}

Task<void> promote(Node& node, TopicId id, MetadataManager::Along along, Result<TopicPtr>& result) {
  MetadataManager::TopicEdit edit = [](TopicImage& topic) -> Status {
    topic.mirror.emplace();
    topic.mirror->state = MirrorState::kStopped;
    for (auto& partition : topic.partitions) partition.leadership_epoch = LeadershipEpoch(65536);
    return ok();
  };
  result = co_await node.manager().update_topic(id, std::move(edit), std::move(along), node.limit());
}

TEST(MetadataManager, UpdateOfATopicIsOneTransactionWithItsOtherWrites) {
  Node node(5);
  ASSERT_TRUE(node.start());
  auto topic = created(node, "orders", 2);
  ASSERT_TRUE(topic);
  Result<TopicPtr> result = *topic;
  MetadataManager::Along refused;
  refused.conditions.push_back(Compare::value_is("link/a", "1"));  // there is no such key
  refused.also.push_back(KvPut{"link/a", "2"});
  ASSERT_TRUE(node.run(promote(node, (*topic)->id, refused, result)));
  EXPECT_EQ(result.error().code, ErrorCode::kFenced);
  EXPECT_FALSE(node.image()->topic("orders")->mirror);
  EXPECT_EQ(node.image()->topic("orders")->partitions[0].leadership_epoch, LeadershipEpoch(0));

  MetadataManager::Along along;
  along.conditions.push_back(Compare::absent("link/a"));
  along.also.push_back(KvPut{"link/a", "2"});
  ASSERT_TRUE(node.run(promote(node, (*topic)->id, along, result)));
  ASSERT_TRUE(result) << result.error().to_string();
  EXPECT_TRUE(node.image()->topic("orders")->mirror);
  EXPECT_EQ(node.image()->topic("orders")->partitions[1].leadership_epoch, LeadershipEpoch(65536));
  node.kill();
  ASSERT_TRUE(node.start());
  EXPECT_EQ(node.image()->topic("orders")->mirror->state, MirrorState::kStopped);
  EXPECT_EQ(node.image()->topic("orders")->partitions[1].leadership_epoch, LeadershipEpoch(65537));
}

Task<void> commit_keys(Node& node, std::vector<std::string> keys, std::vector<ErrorCode>& codes) {
  for (auto& key : keys) {
    MetaTxn txn;
    txn.then.push_back(KvPut{key, "1"});
    auto reply = co_await node.manager().commit(std::move(txn), node.limit());
    codes.push_back(reply ? ErrorCode::kNone : reply.error().code);
    auto read = co_await node.manager().range(key, {}, node.limit());
    EXPECT_EQ(read.has_value(), reply.has_value()) << key;
  }
}

TEST(MetadataManager, CommitRefusesKeysOfTheBroker) {
  Node node(6);
  ASSERT_TRUE(node.start());
  std::vector<ErrorCode> codes;
  std::vector<std::string> keys = {"link/x", "producer_ids", "topic/x", "cluster", "partition/x"};
  ASSERT_TRUE(node.run(commit_keys(node, keys, codes)));
  std::vector<ErrorCode> wanted = {ErrorCode::kNone, ErrorCode::kNone, ErrorCode::kInvalidArgument,
                                   ErrorCode::kInvalidArgument, ErrorCode::kInvalidArgument};
  EXPECT_EQ(codes, wanted);
}

Task<void> write_behind(Node& node, TopicId id) {
  TopicImage topic;
  topic.name = "foreign";
  topic.id = id;
  topic.partitions.resize(1);
  topic.partitions[0].leader = BrokerId(2);
  MetaTxn txn;
  txn.then.push_back(KvPut{topic_key("foreign"), encode_topic(topic)});
  txn.then.push_back(KvPut{partition_key(id, 0), encode_partition(topic.partitions[0])});
  auto reply = co_await node.store().commit(std::move(txn), node.limit());
  EXPECT_TRUE(reply && reply->succeeded);
}

TEST(MetadataManager, WritesOfAnotherBrokerAreFollowed) {
  Node node(7);
  ASSERT_TRUE(node.start());
  TopicId id = node.world().random().uuid();
  ASSERT_TRUE(node.run(write_behind(node, id)));
  EXPECT_EQ(node.world().run_until([&] { return node.image()->topic(id) != nullptr; }, kLimit), sim::RunEnd::kDone);
  // The next change of this broker compares with the other broker's value.
  EXPECT_TRUE(created(node, "orders", 1));
  EXPECT_TRUE(node.image()->topic("foreign"));
}

TEST(MetadataManager, KillAtAnyPointLeavesATopicWholeOrAbsent) {
  for (uint64_t n = 1; n <= 40; ++n) {
    SCOPED_TRACE("killed at resumption " + std::to_string(n));
    Node node(100 + n);
    ASSERT_TRUE(node.start());
    auto& env = node.env();
    env.at_resumption(n, [&node, &env] { node.world().kill(env); });
    auto topic = created(node, "orders", 3);
    bool acknowledged = topic.has_value();
    node.kill();
    ASSERT_TRUE(node.start());  // load() refuses a topic whose partitions are not all there
    if (acknowledged) {
      EXPECT_TRUE(node.image()->topic("orders"));
    }
  }
}

}  // namespace
}  // namespace farshore::broker
