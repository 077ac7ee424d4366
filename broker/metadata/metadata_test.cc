#include "broker/metadata/metadata.h"

#include <gtest/gtest.h>

#include "base/sim/world.h"
#include "broker/metadata/internal/codec.h"
#include "broker/metadata/testing/metadata_node.h"

namespace farshore::broker::metadata_test {
namespace {

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

Task<void> delete_behind(Node& node, TopicId id) {
  MetaTxn txn;
  txn.then.push_back(KvDelete{topic_key("foreign")});
  const std::string prefix = "partition/" + id.to_string() + "/";
  txn.then.push_back(KvDeleteRange{prefix, prefix_end(prefix)});
  auto reply = co_await node.store().commit(std::move(txn), node.limit());
  EXPECT_TRUE(reply && reply->succeeded);
}

TEST(MetadataManager, AForeignWriteIsFollowedByReadingWhatItTouched) {
  Node node(8);
  ASSERT_TRUE(node.start());
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(created(node, "topic-" + std::to_string(i), 3));
  const size_t before = node.entries_read;
  const TopicId id = node.world().random().uuid();
  ASSERT_TRUE(node.run(write_behind(node, id)));
  EXPECT_EQ(node.world().run_until([&] { return node.image()->topic(id) != nullptr; }, kLimit), sim::RunEnd::kDone);
  ASSERT_TRUE(node.run(delete_behind(node, id)));
  EXPECT_EQ(node.world().run_until([&] { return node.image()->topic(id) == nullptr; }, kLimit), sim::RunEnd::kDone);
  EXPECT_LE(node.entries_read - before, 10u) << "of 400";
  EXPECT_EQ(node.image()->topics.size(), 100u);
  EXPECT_EQ(node.image()->names_by_id.size(), 100u);
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
}  // namespace farshore::broker::metadata_test
