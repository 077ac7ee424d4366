// Files of the simulated disk after a power loss, a failed sync, a full disk and a kill.
#include "base/sim/disk.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/contract/file_contract.h"
#include "base/sim/world.h"

namespace farshore::sim {
namespace {

using contract::file_cases::open_or_create;
using contract::file_cases::put;

class SimDiskTest : public testing::Test {
 protected:
  explicit SimDiskTest(uint64_t seed = 1) : world_({.seed = seed, .buggify = false}) { boot(); }
  void boot() { env_ = &world_.start_process("east-1", "test"); }
  void run(Task<void> task) { EXPECT_TRUE(world_.run(*env_, std::move(task), hours(1))); }
  SimDisk& disk() { return world_.disk("east-1"); }
  FileSystem& fs() { return env_->files(); }

  // A durable directory with one file: `synced` bytes durable, then `unsynced` more.
  Task<void> prepare(std::string path, std::string synced, std::string unsynced) {
    EXPECT_TRUE(co_await fs().make_dirs(parent_path(path)));
    EXPECT_TRUE(co_await fs().sync_dir("/"));
    auto file = co_await fs().open(path, open_or_create());
    CO_ASSERT_OK(file);
    EXPECT_TRUE(co_await put(**file, 0, synced));
    EXPECT_TRUE(co_await (*file)->sync());
    EXPECT_TRUE(co_await fs().sync_dir(parent_path(path)));
    EXPECT_TRUE(co_await put(**file, synced.size(), unsynced));
  }

  SimWorld world_;
  SimEnv* env_ = nullptr;
};

TEST_F(SimDiskTest, KillKeepsThePageCacheAndReleasesLocks) {
  struct Lock {
    static Task<void> run(SimEnv& env, std::unique_ptr<FileLock>& held, bool& got) {
      auto lock = co_await env.files().lock("/lock");
      got = lock.has_value();
      if (got) held = std::move(*lock);
    }
  };
  run(prepare("/d/f", "synced", " and not"));
  std::unique_ptr<FileLock> first, second;
  bool got = false;
  run(Lock::run(*env_, first, got));
  EXPECT_TRUE(got);
  world_.kill(*env_);
  EXPECT_EQ(disk().contents("/d/f"), "synced and not");
  boot();
  run(Lock::run(*env_, second, got));
  EXPECT_TRUE(got) << "the dead process still holds the lock";
  first.reset();  // the dead process's handle must not release what the living one holds
  SimEnv& third = world_.start_process("east-1", "third");
  std::unique_ptr<FileLock> none;
  EXPECT_TRUE(world_.run(third, Lock::run(third, none, got), seconds(5)));
  EXPECT_FALSE(got);
}

TEST_F(SimDiskTest, PowerLossThatDropsUnsyncedBytesKeepsSyncedBytes) {
  run(prepare("/d/f", std::string(1000, 's'), std::string(5000, 'u')));
  EXPECT_EQ(disk().durable_contents("/d/f"), std::string(1000, 's'));
  world_.power_off("east-1", PowerLoss::kDropAll);
  EXPECT_EQ(disk().contents("/d/f"), std::string(1000, 's'));
}

TEST_F(SimDiskTest, PowerLossThatKeepsUnsyncedBytesLosesNothing) {
  run(prepare("/d/f", std::string(1000, 's'), std::string(5000, 'u')));
  world_.power_off("east-1", PowerLoss::kKeepAll);
  EXPECT_EQ(disk().contents("/d/f"), std::string(1000, 's') + std::string(5000, 'u'));
}

// Many seeds, every kind of power loss: the synced prefix is always there, and each possible fate of the rest occurs.
TEST(SimDiskPowerLoss, PowerLossKeepsSyncedBytesAndDropsTearsOrDamagesUnsyncedBytes) {
  int kept = 0, dropped = 0, torn = 0, garbage = 0, zeros = 0;
  for (uint64_t seed = 1; seed <= 150; ++seed) {
    struct Fixture : SimDiskTest {
      explicit Fixture(uint64_t seed) : SimDiskTest(seed) {}
      void TestBody() override {
        run(prepare("/d/f", std::string(1000, 's'), std::string(5000, 'u')));
        world_.power_off("east-1");
        after = disk().contents("/d/f").value_or("missing");
      }
      std::string after;
    } one(seed);
    one.TestBody();
    ASSERT_GE(one.after.size(), 1000u) << "seed " << seed;
    ASSERT_EQ(one.after.substr(0, 1000), std::string(1000, 's')) << "seed " << seed;
    const std::string rest = one.after.substr(1000);
    const auto good = static_cast<size_t>(std::count(rest.begin(), rest.end(), 'u'));
    const auto zero = static_cast<size_t>(std::count(rest.begin(), rest.end(), '\0'));
    kept += good == 5000;
    dropped += rest.empty();
    torn += good > 0 && good < 5000;
    zeros += zero > 0;
    garbage += good + zero < rest.size();
  }
  EXPECT_GT(kept, 5);
  EXPECT_GT(dropped, 5);
  EXPECT_GT(torn, 5);
  EXPECT_GT(zeros, 5);
  EXPECT_GT(garbage, 5);
}

TEST_F(SimDiskTest, FileNameIsDurableOnlyAfterItsDirectoryIsSynced) {
  struct Steps {
    static Task<void> run(FileSystem& fs) {
      EXPECT_TRUE(co_await fs.make_dirs("/d"));
      EXPECT_TRUE(co_await fs.sync_dir("/"));
      for (const char* name : {"/d/synced", "/d/unsynced"}) {
        auto file = co_await fs.open(name, open_or_create());
        CO_ASSERT_OK(file);
        EXPECT_TRUE(co_await put(**file, 0, "content"));
        EXPECT_TRUE(co_await (*file)->sync());
        if (std::string_view(name) == "/d/unsynced") continue;
        EXPECT_TRUE(co_await fs.sync_dir("/d"));
      }
      EXPECT_TRUE(co_await fs.rename("/d/synced", "/d/renamed"));
    }
  };
  run(Steps::run(fs()));
  EXPECT_EQ(disk().files_under("/d"), (std::vector<std::string>{"/d/renamed", "/d/unsynced"}));
  world_.power_off("east-1", PowerLoss::kDropAll);
  EXPECT_EQ(disk().files_under("/d"), (std::vector<std::string>{"/d/synced"}));
  EXPECT_EQ(disk().contents("/d/synced"), "content");
}

TEST_F(SimDiskTest, DirectoryWithAnUnsyncedNameIsLostWhole) {
  struct Steps {
    static Task<void> run(FileSystem& fs) {
      EXPECT_TRUE(co_await fs.make_dirs("/new/deep"));
      EXPECT_TRUE(co_await replace_file(fs, "/new/deep/file", "content"));  // syncs /new/deep only
    }
  };
  run(Steps::run(fs()));
  world_.power_off("east-1", PowerLoss::kDropAll);
  EXPECT_TRUE(disk().files_under("/").empty());
}

TEST_F(SimDiskTest, ReplacedFileIsOldOrNewAfterAPowerLoss) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SimWorld world({.seed = seed, .buggify = false});
    SimEnv& env = world.start_process("east-1", "test");
    struct Steps {
      static Task<void> run(FileSystem& fs, bool& first) {
        EXPECT_TRUE(co_await fs.make_dirs("/d"));
        EXPECT_TRUE(co_await fs.sync_dir("/"));
        EXPECT_TRUE(co_await replace_file(fs, "/d/f", "old"));
        first = true;
        (void)co_await replace_file(fs, "/d/f", "newer");
      }
    };
    bool first = false;
    world.spawn(env, Steps::run(env.files(), first));
    ASSERT_EQ(world.run_until([&] { return first; }, seconds(10)), RunEnd::kDone);
    world.run_for(microseconds(world.random().between(0, 20'000)));
    world.power_off("east-1");
    const auto after = world.disk("east-1").contents("/d/f");
    ASSERT_TRUE(after == "old" || after == "newer") << "seed " << seed << ": " << after.value_or("missing");
  }
}

TEST_F(SimDiskTest, PowerLossAfterAnUnsyncedTruncationRestoresTheOldFile) {
  struct Steps {
    static Task<void> run(FileSystem& fs) {
      auto file = co_await fs.open("/d/f", open_or_create());
      CO_ASSERT_OK(file);
      EXPECT_TRUE(co_await (*file)->truncate(100));
      EXPECT_TRUE(co_await put(**file, 100, std::string(50, 'n')));
    }
  };
  run(prepare("/d/f", std::string(2000, 's'), ""));
  run(Steps::run(fs()));
  EXPECT_EQ(disk().contents("/d/f"), std::string(100, 's') + std::string(50, 'n'));
  world_.power_off("east-1", PowerLoss::kDropAll);
  EXPECT_EQ(disk().contents("/d/f"), std::string(2000, 's')) << "never old bytes behind new ones";
}

TEST_F(SimDiskTest, BytesOfAFailedSyncStayLostAfterALaterSync) {
  struct Steps {
    static Task<void> run(FileSystem& fs, SimDisk& disk) {
      auto file = co_await fs.open("/d/f", open_or_create());
      CO_ASSERT_OK(file);
      disk.fail_next(DiskOp::kSync, "/d/f");
      auto failed = co_await (*file)->sync();
      EXPECT_ERROR(failed, ErrorCode::kIo);
      auto again = co_await (*file)->sync();
      EXPECT_ERROR(again, ErrorCode::kIo);  // the file is dead
      auto other = co_await fs.open("/d/f", open_or_create());
      CO_ASSERT_OK(other);
      EXPECT_TRUE(co_await (*other)->sync()) << "Linux says nothing the second time";
    }
  };
  run(prepare("/d/f", "synced", " lost"));
  run(Steps::run(fs(), disk()));
  EXPECT_EQ(disk().contents("/d/f"), "synced lost");
  world_.power_off("east-1", PowerLoss::kKeepAll);
  EXPECT_EQ(disk().contents("/d/f")->substr(0, 6), "synced");
  EXPECT_EQ(disk().contents("/d/f")->find("lost"), std::string::npos);
}

// Two syncs of one file run at the same time. Whichever ends first has made all bytes written before it durable.
TEST(SimDiskSync, SyncWaitsForTheBytesOfEarlierSyncs) {
  struct Steps {
    static Task<void> sync(File& file, std::string& durable, SimDisk& disk) {
      EXPECT_TRUE(co_await file.sync());
      durable = disk.durable_contents("/f").value_or("missing");
    }
    static Task<void> run(SimEnv& env, Gate& gate, std::string& first, std::string& second) {
      auto file = co_await env.files().open("/f", open_or_create());
      CO_ASSERT_OK(file);
      SimDisk& disk = *env.host().disk;
      EXPECT_TRUE(co_await put(**file, 0, "one"));
      EXPECT_TRUE(spawn(gate, "first", sync(**file, first, disk)));
      co_await env.sleep(microseconds(20));
      EXPECT_TRUE(co_await put(**file, 3, " two"));
      EXPECT_TRUE(spawn(gate, "second", sync(**file, second, disk)));
      co_await gate.close();
    }
  };
  int second_was_first = 0;
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    SimWorld world({.seed = seed, .buggify = false});
    SimEnv& env = world.start_process("east-1", "test");
    Gate gate(env);
    std::string first, second;
    EXPECT_TRUE(world.run(env, Steps::run(env, gate, first, second), seconds(10)));
    EXPECT_EQ(second, "one two") << "seed " << seed;
    EXPECT_EQ(first.substr(0, 3), "one") << "seed " << seed;
    second_was_first += first == "one two";
  }
  EXPECT_GT(second_was_first, 0);
}

TEST_F(SimDiskTest, FullDiskRefusesWritesAndFailingDiskKillsTheFile) {
  struct Steps {
    static Task<void> run(FileSystem& fs, SimDisk& disk) {
      auto file = co_await fs.open("/f", open_or_create());
      CO_ASSERT_OK(file);
      disk.set_capacity(1000);
      EXPECT_TRUE(co_await put(**file, 0, std::string(900, 'x')));
      auto full = co_await put(**file, 900, std::string(200, 'y'));
      EXPECT_ERROR(full, ErrorCode::kNoSpace);
      EXPECT_LE((*file)->size(), 1000u);
      EXPECT_TRUE(co_await (*file)->truncate(900)) << "the file is not dead";
      EXPECT_TRUE(co_await put(**file, 900, std::string(50, 'y')));
      EXPECT_EQ((co_await fs.free_bytes("/")).value(), 50u);
      disk.fail_next(DiskOp::kWrite, "/f");
      auto failed = co_await put(**file, 0, "z");
      EXPECT_ERROR(failed, ErrorCode::kIo);
      auto dead = co_await put(**file, 0, "z");
      EXPECT_ERROR(dead, ErrorCode::kIo);
    }
  };
  run(Steps::run(fs(), disk()));
}

TEST_F(SimDiskTest, BitRotChangesDurableBytesAndSlowDiskDelaysSync) {
  struct Steps {
    static Task<void> run(SimEnv& env) {
      auto file = co_await env.files().open("/d/f", open_or_create());
      CO_ASSERT_OK(file);
      const MonoTime begin = env.now();
      EXPECT_TRUE(co_await (*file)->sync());
      EXPECT_GE(env.now() - begin, seconds(2));
    }
  };
  run(prepare("/d/f", "synced", ""));
  EXPECT_TRUE(disk().rot("/d/f", 3));
  EXPECT_FALSE(disk().rot("/d/f", 100));
  EXPECT_NE(disk().contents("/d/f"), "synced");
  EXPECT_EQ(disk().contents("/d/f"), disk().durable_contents("/d/f"));
  disk().set_slow(seconds(2), seconds(4));
  run(Steps::run(*env_));
}

TEST_F(SimDiskTest, TrapKillsTheProcessBeforeTheOperationHasAnEffect) {
  struct Steps {
    static Task<void> run(FileSystem& fs) {
      auto file = co_await fs.open("/f", open_or_create());
      CO_ASSERT_OK(file);
      EXPECT_TRUE(co_await put(**file, 0, "one"));
      EXPECT_TRUE(co_await put(**file, 3, " two"));
      ADD_FAILURE() << "the process lives on";
    }
  };
  for (bool instant : {false, true}) {
    disk().set_instant(instant);
    disk().erase("/f");
    disk().at_operation(3, [&] { world_.kill(*env_); });
    EXPECT_FALSE(world_.run(*env_, Steps::run(fs()), seconds(10)));
    EXPECT_TRUE(env_->dead());
    EXPECT_EQ(disk().contents("/f"), "one");
    boot();
  }
}

TEST_F(SimDiskTest, InstantDiskTakesNoTimeAndLosesUnsyncedBytes) {
  struct Steps {
    static Task<void> run(SimEnv& env) {
      auto file = co_await env.files().open("/f", open_or_create());
      CO_ASSERT_OK(file);
      EXPECT_TRUE(co_await put(**file, 0, "synced"));
      EXPECT_TRUE(co_await (*file)->sync());
      EXPECT_TRUE(co_await env.files().sync_dir("/"));
      EXPECT_TRUE(co_await put(**file, 6, " and not"));
    }
  };
  disk().set_instant(true);
  const Duration before = world_.now();
  run(Steps::run(*env_));
  EXPECT_EQ(world_.now(), before);
  EXPECT_EQ(disk().operations(DiskOp::kWrite), 2u);
  EXPECT_EQ(disk().operations(DiskOp::kSync), 1u);
  world_.power_off("east-1", PowerLoss::kDropAll);
  EXPECT_EQ(disk().contents("/f"), "synced");
}

TEST(SimDiskPowerLoss, TornWriteIsCutAtTheConfiguredSectorSize) {
  struct Steps {
    static Task<void> run(FileSystem& fs) {
      auto file = co_await fs.open("/f", open_or_create());
      CO_ASSERT_OK(file);
      EXPECT_TRUE(co_await fs.sync_dir("/"));
      EXPECT_TRUE(co_await put(**file, 0, std::string(200, 'x')));
    }
  };
  std::set<size_t> kept;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SimWorld world({.seed = seed, .buggify = false});
    SimEnv& env = world.start_process("east-1", "test");
    SimDisk& disk = world.disk("east-1");
    disk.set_sector_bytes(10);
    EXPECT_TRUE(world.run(env, Steps::run(env.files()), seconds(10)));
    world.power_off("east-1", PowerLoss::kTorn);
    const std::string left = *disk.contents("/f");
    const size_t size = std::min(left.find_last_of('x') + 1, left.size());
    EXPECT_EQ(size % 10, 0u) << "seed " << seed;
    kept.insert(size);
  }
  EXPECT_GT(kept.size(), 5u);
}

TEST_F(SimDiskTest, ContentsSetByTheTestAreDurable) {
  run(prepare("/d/f", "synced", " and not"));
  disk().put_contents("/d/f", "replaced");
  disk().put_contents("/d/new", "made");
  world_.power_off("east-1", PowerLoss::kDropAll);
  EXPECT_EQ(disk().contents("/d/f"), "replaced");
  EXPECT_EQ(disk().contents("/d/new"), "made");
  disk().erase("/d/new");
  boot();
  run(prepare("/e/f", "synced", " and now durable"));
  disk().sync_everything();
  world_.power_off("east-1", PowerLoss::kDropAll);
  EXPECT_EQ(disk().contents("/d/new"), std::nullopt);
  EXPECT_EQ(disk().contents("/e/f"), "synced and now durable");
}

}  // namespace
}  // namespace farshore::sim
