// Changes of a topic that are larger than one transaction of the MetaStore may be.
#include <gtest/gtest.h>

#include <set>

#include "broker/metadata/testing/metadata_node.h"

namespace farshore::broker::metadata_test {
namespace {

constexpr int32_t kPartitions = 1000;
constexpr LeadershipEpoch kRaised{65536};

// As the end of a mirror: the topic's record and the epochs of all partitions.
Task<void> end_mirror(Node& node, bool& ended) {
  MetadataManager::TopicEdit edit = [](TopicImage& topic) -> Status {
    topic.mirror.emplace();
    topic.mirror->state = MirrorState::kStopped;
    for (auto& partition : topic.partitions) partition.leadership_epoch = kRaised;
    return ok();
  };
  const TopicId id = node.image()->topic("big")->id;
  auto changed = co_await node.manager().update_topic(id, std::move(edit), node.limit());
  ended = changed.has_value();
}

void expect_whole(const TopicImage& topic, LeadershipEpoch if_ended, LeadershipEpoch if_not) {
  std::set<LeadershipEpoch> epochs;
  for (const auto& partition : topic.partitions) epochs.insert(partition.leadership_epoch);
  EXPECT_EQ(epochs, std::set<LeadershipEpoch>{topic.mirror ? if_ended : if_not});
}

bool nothing_is_raising(Node& node) {
  const TopicImage* topic = node.image()->topic("big");
  bool behind = false;
  for (const auto& partition : topic->partitions) behind |= partition.behind;
  return topic->raising.empty() && !behind;
}

TEST(LargeChange, EpochsOfManyPartitionsAreRaisedWholeOrNotAtAll) {
  for (size_t commits = 0; commits < 13; ++commits) {
    SCOPED_TRACE("commits " + std::to_string(commits));
    Node node(11);
    ASSERT_TRUE(node.start());
    ASSERT_TRUE(created(node, "big", kPartitions));
    node.commits_left = commits;
    bool ended = false;
    ASSERT_TRUE(node.run(end_mirror(node, ended)));
    EXPECT_EQ(ended, commits > 0);
    expect_whole(*node.image()->topic("big"), kRaised, LeadershipEpoch(0));
    node.kill();
    node.commits_left = SIZE_MAX;
    ASSERT_TRUE(node.start());
    EXPECT_EQ(node.image()->topic("big")->mirror.has_value(), ended);
    expect_whole(*node.image()->topic("big"), kRaised + 1, LeadershipEpoch(1));
    EXPECT_EQ(node.world().run_until([&] { return nothing_is_raising(node); }, kLimit), sim::RunEnd::kDone);
    node.kill();
    ASSERT_TRUE(node.start());  // what was written agrees with what was seen
    expect_whole(*node.image()->topic("big"), kRaised + 2, LeadershipEpoch(2));
  }
}

TEST(LargeChange, AnInterruptedRaiseIsFinishedWithoutARestart) {
  Node node(12);
  ASSERT_TRUE(node.start());
  ASSERT_TRUE(created(node, "big", kPartitions));
  node.commits_left = 3;
  bool ended = false;
  ASSERT_TRUE(node.run(end_mirror(node, ended)));
  EXPECT_TRUE(ended);
  EXPECT_FALSE(nothing_is_raising(node));
  node.commits_left = SIZE_MAX;
  EXPECT_EQ(node.world().run_until([&] { return nothing_is_raising(node); }, kLimit), sim::RunEnd::kDone);
  expect_whole(*node.image()->topic("big"), kRaised, LeadershipEpoch(0));
}

TEST(LargeChange, RaiseThatCannotBeWrittenReadsNotAllMetadataEachTime) {
  Node node(14);
  ASSERT_TRUE(node.start());
  ASSERT_TRUE(created(node, "big", kPartitions));
  node.commits_left = 3;
  bool ended = false;
  ASSERT_TRUE(node.run(end_mirror(node, ended)));
  ASSERT_TRUE(ended);
  node.entries_read = 0;
  node.world().run_for(minutes(10));
  EXPECT_LT(node.entries_read, size_t{kPartitions});
  node.commits_left = SIZE_MAX;
  EXPECT_EQ(node.world().run_until([&] { return nothing_is_raising(node); }, kLimit), sim::RunEnd::kDone);
  expect_whole(*node.image()->topic("big"), kRaised, LeadershipEpoch(0));
}

Task<void> set_config(Node& node, std::string value, bool& done) {
  MetadataManager::ConfigChanges changes;
  changes["text"] = std::move(value);
  const TopicId id = node.image()->topic("big")->id;
  auto changed = co_await node.manager().alter_configs(id, std::move(changes), node.limit());
  done = changed.has_value();
}

Task<void> count_parts(Node& node, size_t& count) {
  auto found = co_await node.store().range("topic_part/", "topic_part0", node.limit());
  EXPECT_TRUE(found);
  count = found ? found->entries.size() : 0;
}

size_t parts(Node& node) {
  size_t count = 0;
  EXPECT_TRUE(node.run(count_parts(node, count)));
  return count;
}

TEST(LargeChange, ALongRecordIsStoredInPartsWholeOrNotAtAll) {
  const std::string first(3 << 20, 'a'), second(3 << 20, 'b');
  for (size_t commits = 0; commits < 7; ++commits) {
    SCOPED_TRACE("commits " + std::to_string(commits));
    Node node(13);
    ASSERT_TRUE(node.start());
    ASSERT_TRUE(created(node, "big", 2));
    bool done = false;
    ASSERT_TRUE(node.run(set_config(node, first, done)));
    ASSERT_TRUE(done);
    EXPECT_EQ(parts(node), 4u);
    node.commits_left = commits;
    ASSERT_TRUE(node.run(set_config(node, second, done)));
    node.kill();
    node.commits_left = SIZE_MAX;
    ASSERT_TRUE(node.start());
    EXPECT_TRUE(node.image()->topic("big")->configs.at("text") == (done ? second : first));
    EXPECT_EQ(parts(node), 4u);  // nothing is left of the other one
    ASSERT_TRUE(node.run(set_config(node, "short", done)));
    EXPECT_TRUE(done);
    EXPECT_EQ(parts(node), 0u);
    node.kill();
    ASSERT_TRUE(node.start());
    EXPECT_EQ(node.image()->topic("big")->configs.at("text"), "short");
  }
}

TEST(LargeChange, FailedChangeLeavesNoPartsBehind) {
  Node node(15);
  ASSERT_TRUE(node.start());
  ASSERT_TRUE(created(node, "big", 2));
  bool done = false;
  ASSERT_TRUE(node.run(set_config(node, std::string(3 << 20, 'a'), done)));
  ASSERT_TRUE(done);
  ASSERT_EQ(parts(node), 4u);
  for (size_t failing = 1; failing <= 5; ++failing) {  // one of four parts, or the topic's own record
    node.failing_commit = failing;
    ASSERT_TRUE(node.run(set_config(node, std::string(3 << 20, 'b'), done)));
    EXPECT_FALSE(done) << failing;
    EXPECT_EQ(parts(node), 4u) << failing;
  }
  for (int i = 0; i < 10; ++i) {  // also the removal fails
    node.commits_left = 2;
    ASSERT_TRUE(node.run(set_config(node, std::string(3 << 20, 'b'), done)));
    EXPECT_FALSE(done);
    EXPECT_LE(parts(node), 4u + 2u);
  }
  node.commits_left = SIZE_MAX;
  ASSERT_TRUE(node.run(set_config(node, std::string(3 << 20, 'c'), done)));
  EXPECT_TRUE(done);
  EXPECT_EQ(parts(node), 4u);
}

Task<void> count_records(Node& node, size_t& count) {
  auto found = co_await node.store().range("partition/", "partition0", node.limit());
  EXPECT_TRUE(found);
  count = found ? found->entries.size() : 0;
}

TEST(LargeChange, FailedCreationLeavesNoRecordsBehind) {
  Node node(16);
  ASSERT_TRUE(node.start());
  size_t records = 0;
  for (size_t failing : {2, 8, 100}) {  // the last one: none fails
    node.failing_commit = failing;
    EXPECT_EQ(created(node, "big", kPartitions).has_value(), failing == 100);
    ASSERT_TRUE(node.run(count_records(node, records)));
    EXPECT_EQ(records, failing == 100 ? size_t{kPartitions} : 0u) << failing;
  }
}

}  // namespace
}  // namespace farshore::broker::metadata_test
