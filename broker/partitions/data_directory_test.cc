#include "broker/partitions/internal/data_directory.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/sim/world.h"

namespace farshore::broker {
namespace {

constexpr Duration kLimit = seconds(60);

TopicImage topic(std::string name, Uuid id) {
  TopicImage out;
  out.name = std::move(name);
  out.id = id;
  return out;
}

class DataDirectoryTest : public ::testing::Test {
 protected:
  DataDirectoryTest() {
    sim::SimOptions options;
    options.seed = 3;
    world_ = std::make_unique<sim::SimWorld>(options);
    env_ = &world_->start_process("host", "broker");
    first_ = env_->random().uuid();
    second_ = env_->random().uuid();
    run(make());
  }
  void run(Task<void> task) { ASSERT_TRUE(world_->run(*env_, std::move(task), kLimit)); }
  Task<void> make() {
    auto made = co_await env_->files().make_dirs("/data");
    EXPECT_TRUE(made);
  }
  Task<void> claim(TopicImage image, ErrorCode& code) {
    DataDirectory directory(*env_, env_->files(), "/data");
    auto claimed = co_await directory.claim(image, 0, cluster_);
    code = claimed ? ErrorCode::kNone : claimed.error().code;
  }
  ErrorCode claimed(TopicImage image) {
    ErrorCode code = ErrorCode::kInternal;
    run(claim(std::move(image), code));
    return code;
  }
  Task<void> remove(std::string name) {
    DataDirectory directory(*env_, env_->files(), "/data");
    auto aside = co_await directory.set_aside(name, 0);
    EXPECT_TRUE(aside);
    if (!aside || aside->empty()) co_return;
    auto removed = co_await directory.remove(*aside);
    EXPECT_TRUE(removed);
  }
  Task<void> set_aside(std::string name) {
    DataDirectory directory(*env_, env_->files(), "/data");
    EXPECT_TRUE(co_await directory.set_aside(name, 0));
  }
  Task<void> clean_up(std::vector<TopicImage> topics) {
    ClusterImage image;
    for (auto& each : topics) {
      image.names_by_id[each.id] = each.name;
      image.topics[each.name] = std::make_shared<const TopicImage>(each);
    }
    DataDirectory directory(*env_, env_->files(), "/data");
    auto cleaned = co_await directory.clean_up(image);
    EXPECT_TRUE(cleaned);
  }
  Task<void> list(std::vector<std::string>& names) {
    auto listed = co_await env_->files().list("/data");
    EXPECT_TRUE(listed);
    if (listed) names = *listed;
  }
  std::vector<std::string> names() {
    std::vector<std::string> out;
    run(list(out));
    return out;
  }

  std::unique_ptr<sim::SimWorld> world_;
  sim::SimEnv* env_ = nullptr;
  Uuid first_, second_;
  ImagePtr cluster_ = std::make_shared<ClusterImage>();
};

TEST_F(DataDirectoryTest, DirectoryOfAnotherTopicIdIsSetAsideByAClaim) {
  EXPECT_EQ(claimed(topic("orders", first_)), ErrorCode::kNone);
  EXPECT_EQ(claimed(topic("orders", first_)), ErrorCode::kNone);
  EXPECT_EQ(names(), std::vector<std::string>{"orders-0"});
  EXPECT_EQ(claimed(topic("orders", second_)), ErrorCode::kNone);
  EXPECT_EQ(names().size(), 2u);
  EXPECT_EQ(claimed(topic("orders", second_)), ErrorCode::kNone);
  EXPECT_EQ(names().size(), 2u);
}

TEST_F(DataDirectoryTest, DirectoryOfAnotherTopicThatExistsIsNotClaimedAndStays) {
  EXPECT_EQ(claimed(topic("orders", first_)), ErrorCode::kNone);
  auto cluster = std::make_shared<ClusterImage>();
  cluster->topics["payments"] = std::make_shared<TopicImage>(topic("payments", first_));
  cluster->names_by_id[first_] = "payments";
  cluster_ = cluster;
  EXPECT_EQ(claimed(topic("orders", second_)), ErrorCode::kCorrupt) << "an empty log would look like lost records";
  EXPECT_EQ(names(), std::vector<std::string>{"orders-0"});
}

// 249 characters are allowed, and "-0.<uuid>-delete" has no room beside them in a file name.
TEST_F(DataDirectoryTest, LongestTopicNameCanBeRemovedAndSetAside) {
  const std::string longest(249, 'n');
  EXPECT_EQ(claimed(topic(longest, first_)), ErrorCode::kNone);
  run(set_aside(longest));
  ASSERT_EQ(names().size(), 1u);
  EXPECT_LE(names().front().size(), 255u);
  run(clean_up({}));  // as after a crash: removed
  EXPECT_TRUE(names().empty());
  EXPECT_EQ(claimed(topic(longest, second_)), ErrorCode::kNone);
  run(clean_up({}));  // a stray
  ASSERT_EQ(names().size(), 1u);
  EXPECT_LE(names().front().size(), 255u);
  EXPECT_TRUE(names().front().ends_with("-stray"));
  EXPECT_NE(names().front().find("-0."), std::string::npos);
}

TEST_F(DataDirectoryTest, RemovedDirectoryCanBeClaimedByAnotherTopicId) {
  EXPECT_EQ(claimed(topic("orders", first_)), ErrorCode::kNone);
  run(remove("orders"));
  EXPECT_TRUE(names().empty());
  run(remove("orders"));  // there is nothing to do
  EXPECT_EQ(claimed(topic("orders", second_)), ErrorCode::kNone);
}

TEST_F(DataDirectoryTest, CleanUpSetsUnknownTopicsAsideAndKeepsKnownOnes) {
  EXPECT_EQ(claimed(topic("orders", first_)), ErrorCode::kNone);
  EXPECT_EQ(claimed(topic("old", second_)), ErrorCode::kNone);
  run(clean_up({topic("orders", first_)}));
  auto after = names();
  ASSERT_EQ(after.size(), 2u);
  int kept = 0, stray = 0;
  for (const auto& name : after) {
    kept += name == "orders-0" ? 1 : 0;
    stray += name.starts_with("old-0.") && name.ends_with("-stray") ? 1 : 0;
  }
  EXPECT_EQ(kept, 1);
  EXPECT_EQ(stray, 1);
  run(clean_up({topic("orders", first_)}));  // what was set aside stays
  EXPECT_EQ(names().size(), 2u);
}

}  // namespace
}  // namespace farshore::broker
