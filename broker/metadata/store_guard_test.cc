#include "broker/metadata/store_guard.h"

#include <gtest/gtest.h>

#include "base/sim/disk.h"
#include "base/sim/world.h"
#include "broker/metadata/internal/codec.h"

namespace farshore::broker {
namespace {

constexpr Duration kLimit = seconds(60);
constexpr const char* kNoteFile = "/data/meta.revision";

// One host; each open() is a new process with the store in the directory `kv`.
class StoreGuard : public ::testing::Test {
 protected:
  using Opened = Result<std::unique_ptr<MetaStore>>;

  sim::SimDisk& disk() { return world_.disk("east-1"); }

  // Opens the store, and writes `commits` transactions.
  Status open(const std::string& kv, int commits) {
    if (env_) world_.kill(*env_);
    env_ = &world_.start_process("east-1", "broker");
    Status result = Error(ErrorCode::kInternal, "did not end");
    EXPECT_TRUE(world_.run(*env_, open_task(*env_, kv, commits, result), kLimit));
    return result;
  }
  static Task<void> open_task(sim::SimEnv& env, std::string kv_directory, int commits, Status& result) {
    result = co_await use(env, kv_directory, commits);
  }
  static Task<Status> use(sim::SimEnv& env, std::string kv_directory, int commits) {
    CO_CHECK(co_await env.files().make_dirs("/data"));
    CO_TRY(auto kv, co_await env.kv().open(kv_directory));
    CO_TRY(auto plain, co_await open_kv_meta_store(env, std::move(kv)));
    CO_TRY(auto store, co_await guard_meta_store(env, std::move(plain), "/data", env.in(kLimit)));
    for (int i = 0; i < commits; ++i) {
      MetaTxn txn;
      txn.then.push_back(KvPut{std::string(kClusterKey), "value"});
      CO_TRY(auto reply, co_await store->commit(std::move(txn), env.in(kLimit)));
      EXPECT_TRUE(reply.succeeded);
    }
    co_return ok();
  }

  void add_log() {
    auto mark = [](Env& env) -> Task<void> {
      EXPECT_TRUE(co_await env.files().make_dirs("/data/orders-0"));
      EXPECT_TRUE(co_await replace_file(env.files(), "/data/orders-0/partition.metadata", "version: 0\n"));
    };
    ASSERT_TRUE(world_.run(*env_, mark(*env_), kLimit));
  }

  sim::SimWorld world_{sim::SimOptions()};
  sim::SimEnv* env_ = nullptr;
};

TEST_F(StoreGuard, StoreOpensAgainAfterAKillAndAfterAPowerLoss) {
  ASSERT_TRUE(open("/data/meta", 0));
  ASSERT_TRUE(open("/data/meta", 3));
  ASSERT_TRUE(open("/data/meta", 2));
  for (auto how : {sim::PowerLoss::kDropAll, sim::PowerLoss::kGarbage, sim::PowerLoss::kTorn}) {
    world_.kill(*env_);
    env_ = nullptr;
    world_.power_off("east-1", how);
    auto opened = open("/data/meta", 2);
    ASSERT_TRUE(opened) << opened.error().to_string();
  }
}

TEST_F(StoreGuard, StoreThatLostTransactionsIsRefusedUntilTheNoteIsRemoved) {
  ASSERT_TRUE(open("/data/older", 2));  // as a copy of the store from before
  disk().erase(kNoteFile);
  ASSERT_TRUE(open("/data/meta", 3));
  auto opened = open("/data/older", 0);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error(), ErrorCode::kCorrupt);
  EXPECT_NE(opened.error().detail.find("revision 3 was written"), std::string::npos) << opened.error().detail;
  EXPECT_NE(opened.error().detail.find("remove /data/meta.revision"), std::string::npos) << opened.error().detail;
  EXPECT_TRUE(open("/data/meta", 0)) << "the right store is still fine";
  disk().erase(kNoteFile);
  EXPECT_TRUE(open("/data/older", 1));
}

TEST_F(StoreGuard, EmptyStoreBesideANoteIsRefusedWithAllThatANewClusterTakes) {
  ASSERT_TRUE(open("/data/meta", 7));
  auto opened = open("/data/empty", 0);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error(), ErrorCode::kCorrupt);
  std::string said = opened.error().detail;
  EXPECT_NE(said.find("revision 7 was written"), std::string::npos) << said;
  EXPECT_NE(said.find("use another directory, or remove /data/meta.revision"), std::string::npos) << said;
  add_log();
  opened = open("/data/empty", 0);
  ASSERT_FALSE(opened);
  said = opened.error().detail;
  EXPECT_NE(said.find("revision 7 was written"), std::string::npos) << said;
  EXPECT_NE(said.find("holds the log orders-0"), std::string::npos) << said;
  EXPECT_NE(said.find("move the logs away and remove /data/meta.revision"), std::string::npos) << said;
  EXPECT_EQ(said.find("set aside"), std::string::npos) << "nothing is set aside without metadata: " << said;
}

TEST_F(StoreGuard, EmptyStoreIsRefusedIfItIsNotKnownWhetherThereIsALog) {
  ASSERT_TRUE(open("/data/meta", 1));
  add_log();
  disk().erase(kNoteFile);
  disk().fail_next(sim::DiskOp::kRead, "orders-0/partition.metadata");
  auto opened = open("/data/empty", 0);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error(), ErrorCode::kIo);
  EXPECT_NE(opened.error().detail.find("/data/orders-0"), std::string::npos) << opened.error().detail;
}

TEST_F(StoreGuard, DirectoryOfOthersThatCannotBeReadIsNoLog) {
  ASSERT_TRUE(open("/data/meta", 1));
  disk().erase(kNoteFile);
  auto make = [](Env& env) -> Task<void> { EXPECT_TRUE(co_await env.files().make_dirs("/data/lost+found")); };
  ASSERT_TRUE(world_.run(*env_, make(*env_), kLimit));
  disk().fail_next(sim::DiskOp::kRead, "lost+found/partition.metadata");
  EXPECT_TRUE(open("/data/empty", 0));
}

TEST_F(StoreGuard, EmptyStoreBesideLogsIsRefused) {
  ASSERT_TRUE(open("/data/meta", 1));
  world_.kill(*env_);
  env_ = nullptr;
  disk().erase(kNoteFile);  // as an older version, which made none
  disk().put_contents("/data/notes.txt", "of an operator");
  EXPECT_TRUE(open("/data/empty", 0)) << "no log: a new cluster";
  add_log();
  auto opened = open("/data/empty", 0);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error(), ErrorCode::kCorrupt);
  EXPECT_NE(opened.error().detail.find("holds the log orders-0"), std::string::npos) << opened.error().detail;
  EXPECT_TRUE(open("/data/meta", 1)) << "a store with content is fine";
}

TEST_F(StoreGuard, DamagedNoteIsMadeAgain) {
  ASSERT_TRUE(open("/data/meta", 4));
  for (const auto& damaged : {std::string("garbage"), std::string(100, '9'), std::string(40, '\0'), std::string()}) {
    disk().put_contents(kNoteFile, damaged);
    ASSERT_TRUE(open("/data/meta", 1));
    EXPECT_FALSE(open("/data/empty", 0)) << damaged;
  }
}

}  // namespace
}  // namespace farshore::broker
