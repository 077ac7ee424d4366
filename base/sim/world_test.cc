// The simulator itself: one seed gives one run, a kill leaves nothing behind, idle time costs nothing, and an injected
// defect is found.
#include "base/sim/world.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <set>

#include <unistd.h>

#include "base/sim/testing/workload.h"

namespace farshore::sim {
namespace {

TEST(SimWorld, SameSeedGivesTheSameRun) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    const WorkResult first = WorkRun(seed).play(seconds(10));
    const WorkResult second = WorkRun(seed).play(seconds(10));
    EXPECT_EQ(first.hash, second.hash) << "seed " << seed;
    EXPECT_EQ(first.steps, second.steps) << "seed " << seed;
    EXPECT_EQ(first.acknowledged, second.acknowledged) << "seed " << seed;
  }
}

TEST(SimWorld, DifferentSeedsGiveDifferentRuns) {
  std::set<uint64_t> hashes;
  for (uint64_t seed = 1; seed <= 20; ++seed) hashes.insert(WorkRun(seed).play(seconds(3)).hash);
  EXPECT_EQ(hashes.size(), 20u);
}

std::string hashes_of_some_seeds() {
  std::string lines;
  for (uint64_t seed = 100; seed < 105; ++seed) {
    char line[80];
    std::snprintf(line, sizeof line, "hash %llu %016llx\n", static_cast<unsigned long long>(seed),
                  static_cast<unsigned long long>(WorkRun(seed).play(seconds(5)).hash));
    lines += line;
  }
  return lines;
}

// The child of the test below: this program again, with another address layout.
const bool child = [] {
  if (!std::getenv("FARSHORE_SIM_PRINT_HASHES")) return false;
  std::fputs(hashes_of_some_seeds().c_str(), stdout);
  std::exit(0);
}();

TEST(SimWorld, SameSeedGivesTheSameRunInAnotherProcess) {
  ASSERT_FALSE(child);
  const std::string mine = hashes_of_some_seeds();
  std::string theirs;
  char self[4096] = {};
  ASSERT_GT(readlink("/proc/self/exe", self, sizeof self - 1), 0);
  const std::string command = std::string("FARSHORE_SIM_PRINT_HASHES=1 '") + self + "'";
  FILE* pipe = popen(command.c_str(), "r");
  ASSERT_NE(pipe, nullptr);
  char line[256];
  while (std::fgets(line, sizeof line, pipe))
    if (std::string_view(line).starts_with("hash ")) theirs += line;
  EXPECT_EQ(pclose(pipe), 0);
  EXPECT_EQ(mine, theirs);
}

TEST(SimWorld, FaultsLoseNoAcknowledgedRecord) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    WorkRun run(seed);
    const WorkResult result = run.play(seconds(20));
    EXPECT_EQ(result.violations, 0u) << "seed " << seed;
    EXPECT_TRUE(result.progressed_after_heal) << "seed " << seed;
    EXPECT_EQ(result.living, 0) << "seed " << seed;
    EXPECT_EQ(run.world().failure(), "");
    if (testing::Test::HasFailure()) {
      run.world().print(stderr);
      break;
    }
  }
}

TEST(SimWorld, InjectedLossOfAcknowledgedRecordsIsFound) {
  InjectedDefects defects;
  defects.acknowledge_before_sync = true;
  int found = 0;
  for (uint64_t seed = 1; seed <= 60; ++seed) found += WorkRun(seed, defects).play(seconds(20)).violations > 0;
  EXPECT_GT(found, 0) << "a server that acknowledges before it syncs was never caught";
}

TEST(SimWorld, KillAtAnyResumptionLeavesNothingBehind) {
  for (uint64_t n = 1; n <= 400; ++n) {
    WorkRun run(n % 7 + 1);
    SimEnv& server = run.start_server();
    SimEnv& client = run.start_client();
    SimEnv& victim = n % 2 ? server : client;
    const bool power = n % 4 == 1;
    victim.at_resumption(n / 2 + 1, [&] { power ? run.world().power_off("east-1") : run.world().kill(victim); });
    (void)run.world().run_until([&] { return victim.dead(); }, seconds(20));
    ASSERT_TRUE(victim.dead()) << n;
    const uint64_t resumed = victim.resumptions();
    SimEnv& survivor = n % 2 ? client : server;
    run.world().run_for(seconds(2));
    EXPECT_EQ(victim.resumptions(), resumed) << "a dead process ran, n = " << n;
    run.world().kill(survivor);
    EXPECT_EQ(run.living(), 0) << "frames or objects outlived their process, n = " << n;
  }
}

TEST(SimWorld, ProcessThatKillsItselfEndsAfterItsHandler) {
  SimWorld world({.seed = 3});
  SimEnv& env = world.start_process("east-1", "test");
  int living = 0;
  struct Suicide {
    static Task<void> run(SimEnv& env, int& living) {
      Living here(living);
      env.world().kill(env);
      EXPECT_FALSE(env.dead()) << "it dies when its handler returns, not under its own feet";
      co_await env.sleep(seconds(1));
      ADD_FAILURE() << "ran after its death";
    }
  };
  EXPECT_FALSE(world.run(env, Suicide::run(env, living), seconds(5)));
  EXPECT_TRUE(env.dead());
  EXPECT_EQ(living, 0);
}

Task<void> tick(SimEnv& env, int& ticks) {
  for (;;) {
    co_await env.sleep(milliseconds(100));
    ++ticks;
  }
}

TEST(SimWorld, PausedProcessRunsNothingAndThenCatchesUp) {
  SimWorld world({.seed = 4});
  SimEnv& env = world.start_process("east-1", "test");
  int ticks = 0;
  world.spawn(env, tick(env, ticks));
  world.run_for(milliseconds(1'050));
  EXPECT_EQ(ticks, 10);
  env.pause();
  world.run_for(seconds(10));
  EXPECT_EQ(ticks, 10);
  env.resume();
  world.run_for(milliseconds(50));
  EXPECT_EQ(ticks, 11);
}

TEST(SimWorld, IdleTimeTakesNoSteps) {
  SimWorld world({.seed = 5});
  SimEnv& env = world.start_process("east-1", "test");
  struct Sleeper {
    static Task<void> run(SimEnv& env) { co_await env.sleep(hours(24 * 365)); }
  };
  EXPECT_TRUE(world.run(env, Sleeper::run(env), hours(24 * 366)));
  EXPECT_LT(world.steps(), 20u);
}

TEST(SimWorld, LivelockIsReportedWithItsProcess) {
  SimWorld world({.seed = 6, .steps_at_one_instant_max = 10'000});
  SimEnv& env = world.start_process("east-1", "spinner");
  struct Spinner {
    static Task<void> run(SimEnv& env) {
      for (;;) co_await env.yield();
    }
  };
  world.spawn(env, Spinner::run(env));
  EXPECT_EQ(world.run_until([] { return false; }, seconds(1)), RunEnd::kLivelock);
  EXPECT_NE(world.failure().find("spinner"), std::string::npos) << world.failure();
}

TEST(SimWorld, ClocksOfHostsDiffer) {
  SimWorld world({.seed = 7});
  SimEnv& east = world.start_process("east-1", "a");
  SimEnv& west = world.start_process("west-1", "a");
  EXPECT_NE(east.now(), west.now());
  const auto before = west.wall_now();
  world.host("west-1").wall_offset_ms -= 3'600'000;
  EXPECT_EQ(before.milliseconds_since_epoch - west.wall_now().milliseconds_since_epoch, 3'600'000);
}

TEST(SimWorld, BuggifySitesAreArmedInSomeRunsOnly) {
  int armed = 0;
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    SimWorld world({.seed = seed});
    SimEnv& env = world.start_process("east-1", "test");
    bool fired = false;
    for (int i = 0; i < 100; ++i) fired |= env.buggify("here");
    armed += fired;
  }
  EXPECT_GT(armed, 20);
  EXPECT_LT(armed, 90);
  SimWorld quiet({.seed = 1, .buggify = false});
  SimEnv& env = quiet.start_process("east-1", "test");
  for (int i = 0; i < 1000; ++i) EXPECT_FALSE(env.buggify("here"));
}

TEST(SimWorld, LastLogLinesAreKept) {
  SimWorld world({.seed = 8, .log_lines_kept = 3});
  SimEnv& env = world.start_process("east-1", "test");
  const uint64_t before = world.hash();
  for (int i = 0; i < 10; ++i) env.log().info("event", {{"n", i}});
  EXPECT_NE(world.hash(), before) << "what is logged is part of the fingerprint";
  ASSERT_EQ(world.trace().lines().size(), 3u);
  EXPECT_NE(world.trace().lines().back().find("east-1/test#1 I event n=9"), std::string::npos)
      << world.trace().lines().back();
}

}  // namespace
}  // namespace farshore::sim
