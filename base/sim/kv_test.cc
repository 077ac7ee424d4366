// Stores of the simulated disk after a power loss, a failed write and a kill.
#include "base/sim/kv.h"

#include <gtest/gtest.h>

#include "base/contract/kv_contract.h"
#include "base/sim/disk.h"
#include "base/sim/world.h"

namespace farshore::sim {
namespace {

class SimKvTest : public testing::Test {
 protected:
  SimKvTest() : world_({.seed = 1, .buggify = false}) { boot(); }
  void boot() { env_ = &world_.start_process("east-1", "test"); }
  void run(Task<void> task) { EXPECT_TRUE(world_.run(*env_, std::move(task), hours(1))); }
  SimDisk& disk() { return world_.disk("east-1"); }
  FileSystem& fs() { return env_->files(); }
  Task<void> open() {
    auto opened = co_await env_->kv().open("/kv");
    CO_ASSERT_OK(opened);
    kv_ = std::move(*opened);
    EXPECT_TRUE(co_await fs().sync_dir("/"));
  }
  Task<void> write(std::string key, Sync sync, ErrorCode& code) {
    auto written = co_await contract::kv_cases::put(*kv_, key, key, sync);
    code = written ? ErrorCode::kNone : written.error().code;
  }
  ErrorCode put_key(std::string key, Sync sync) {
    ErrorCode code = ErrorCode::kInternal;
    run(write(std::move(key), sync, code));
    return code;
  }
  std::string keys() {
    std::string all;
    for (auto& [key, value] : find_kv(disk(), "/kv")->live) all += key;
    return all;
  }
  SimWorld world_;
  SimEnv* env_ = nullptr;
  std::unique_ptr<KvStore> kv_;
};

TEST_F(SimKvTest, KillKeepsAllWritesAndPowerLossKeepsTheSyncedPrefix) {
  run(open());
  EXPECT_EQ(put_key("a", Sync::kNo), ErrorCode::kNone);
  EXPECT_EQ(put_key("b", Sync::kYes), ErrorCode::kNone);
  EXPECT_EQ(put_key("c", Sync::kNo), ErrorCode::kNone);
  world_.kill(*env_);
  kv_.reset();
  EXPECT_EQ(keys(), "abc");
  boot();
  run(open());
  EXPECT_EQ(put_key("d", Sync::kNo), ErrorCode::kNone);
  world_.power_off("east-1", PowerLoss::kDropAll);
  kv_.reset();
  EXPECT_EQ(keys(), "ab") << "a synced write makes all earlier ones durable, and only those";
}

TEST_F(SimKvTest, DiskErrorBreaksTheStoreUntilItIsReopened) {
  run(open());
  find_kv(disk(), "/kv")->fail_writes = ErrorCode::kIo;
  find_kv(disk(), "/kv")->failures = 1;
  EXPECT_EQ(put_key("a", Sync::kYes), ErrorCode::kIo);
  EXPECT_EQ(put_key("b", Sync::kYes), ErrorCode::kIo);
  kv_.reset();
  run(open());
  EXPECT_EQ(put_key("b", Sync::kYes), ErrorCode::kNone);
}

TEST_F(SimKvTest, StoreIsErasedWithItsDirectory) {
  struct Wipe {
    static Task<void> run(FileSystem& fs) { EXPECT_TRUE(co_await fs.remove_all("/kv")); }
  };
  run(open());
  EXPECT_EQ(put_key("a", Sync::kYes), ErrorCode::kNone);
  kv_.reset();
  run(Wipe::run(fs()));
  run(open());
  EXPECT_EQ(keys(), "");
}

}  // namespace
}  // namespace farshore::sim
