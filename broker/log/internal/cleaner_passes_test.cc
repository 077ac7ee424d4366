// Passes of the cleaner that meet changes of the log, crashes and restarts.
#include "broker/log/internal/cleaner.h"

#include "broker/log/testing/cleaner_fixture.h"

namespace farshore::log_test {
namespace {

TEST_F(CleanerTest, CompactionLagHoldsAfterARestart) {
  options.min_compaction_lag_ms = 3'600'000;
  set_options();
  put("a", "old");
  put("a", "new");
  fill_segment();
  for (bool clean : {true, false}) {
    EXPECT_EQ(run(log->clean()).value(), 0U);
    ASSERT_TRUE(clean ? reopen_clean() : reopen_killed());
    commit();
    EXPECT_EQ(run(log->clean()).value(), 0U);
    EXPECT_EQ(values("a").size(), 2U);
  }
  host->pass_wall_ms(3'600'001);
  EXPECT_GT(run(log->clean()).value(), 0U);
}

TEST_F(CleanerTest, SegmentRemovedDuringAPassIsNotBroughtBack) {
  options.segment_bytes = 4 << 20;
  set_options();
  for (int round = 0; round < 3; ++round)
    for (int i = 0; i < 10; ++i) put_large("key" + std::to_string(i));
  const size_t logs = files(".log").size();
  ASSERT_GE(logs, 3U);
  const Offset second = second_segment();
  std::optional<Status> moved;
  host->world().spawn(host->env(), advance_after(host->env(), *log, second, 2, moved));
  ASSERT_TRUE(run(log->clean()));
  ASSERT_TRUE(moved && *moved) << "during the pass";
  EXPECT_FALSE(disk().contents(path_of(Offset(0), ".log")))
      << "retention removed it, the cleaner must not bring it back";
  EXPECT_EQ(bases(second.value()).empty(), false);
  EXPECT_GT(run(log->clean()).value(), 0U) << "the next pass goes on where this one ended";
  ASSERT_TRUE(reopen_killed());
  EXPECT_EQ(log->ends().log_start, second);
  EXPECT_EQ(files(".cleaned").size(), 0U);
}

TEST_F(CleanerTest, OthersHaveTheirTurnDuringAPass) {
  options.segment_bytes = 4 << 20;
  set_options();
  for (int i = 0; i < 40; ++i) put_large("key" + std::to_string(i % 10));
  int turns = 0;
  host->world().spawn(host->env(), wait_turns(host->env(), 1'000'000, turns));
  EXPECT_GT(run(log->clean()).value(), 0U);
  EXPECT_GE(turns, 20) << "of some 30 MiB that a pass reads and writes";
}

TEST_F(CleanerTest, CrashAtAnyStepLeavesTheOldOrTheNewSegments) {
  for (int i = 0; i < 12; ++i) put("a", "a" + std::to_string(i));
  fill_segment();
  ASSERT_TRUE(reopen_clean());
  close();
  const LogHost::Files before = host->files();
  bool finished = false;
  int changed = 0;
  for (uint64_t step = 1; !finished; ++step) {
    for (bool power_loss : {false, true}) {
      host->restore(before);
      host->start();
      ASSERT_TRUE(open());
      commit();
      host->die_at_operation(step);
      finished = run(log->clean()).has_value();
      kill();
      if (power_loss) host->power_off();
      host->start();
      auto opened = open();
      ASSERT_TRUE(opened) << step << " " << opened.error().to_string();
      auto left = values("a");
      ASSERT_TRUE(!left.empty() && left.size() <= 12) << step << ": " << left.size();
      EXPECT_EQ(left.back(), "11=a11");  // groups are swapped one by one; the latest is always there
      changed += left.size() == 1;
      std::set<std::string> there(left.begin(), left.end());
      for (int64_t n = log->compacted_to().value(); n < 12; ++n)
        EXPECT_TRUE(there.contains(std::to_string(n) + "=a" + std::to_string(n)))
            << step << ": " << n << " is gone, and the log says that it was not compacted";
      EXPECT_EQ(files(".cleaned").size() + files("intent").size(), 0U) << step;
      kill();
    }
  }
  EXPECT_GT(changed, 2);
}

TEST_F(CleanerTest, WhatWasCompactedIsKnownAfterThePolicyHasChanged) {
  for (int i = 0; i < 20; ++i) put("a", "a" + std::to_string(i));
  fill_segment();
  ASSERT_GT(run(log->clean()).value(), 0U);
  const Offset to = log->compacted_to();
  EXPECT_LT(to, log->ends().end) << "the active segment is never compacted";
  options.cleanup_policy = CleanupPolicy::kDelete;
  for (bool clean : {true, false}) {
    ASSERT_TRUE(clean ? reopen_clean() : reopen_killed());
    EXPECT_EQ(log->compacted_to(), to);
  }
  commit();
  ASSERT_TRUE(run(log->truncate_to(Offset(20), /*below_high_watermark=*/true)));
  EXPECT_EQ(log->compacted_to(), log->ends().end) << "what comes there now was never compacted";
  ASSERT_TRUE(run(log->reset_to(Offset(5))));
  EXPECT_LE(log->compacted_to(), Offset(5));
}

TEST_F(CleanerTest, LogWithoutACheckpointMayHaveBeenCompactedByAnotherProgram) {
  for (int i = 0; i < 20; ++i) put("a", "a" + std::to_string(i));
  commit();
  close();
  for (const auto& path : files(log_format::kCheckpoint)) ASSERT_TRUE(run(host->env().files().remove(path)));
  host->start();
  ASSERT_TRUE(open());
  EXPECT_EQ(log->compacted_to(), log->ends().end);
}

// Keys and segments: 0 "other", 1 "gone", 2 the tombstone of "gone", then others. A pass makes one segment of the first
// two.
TEST_F(CleanerTest, DeletedKeyStaysDeletedIfASegmentGoesDuringAPass) {
  auto put_plain = [&](std::string_view key, std::optional<std::string_view> value, size_t filler) {
    BatchBuilder batch;
    batch.add(host->wall_ms(), key, value).add(host->wall_ms(), "filler", std::string(filler, 'x'));
    ASSERT_TRUE(append(batch));
    commit();
  };
  options.segment_bytes = 300;
  set_options();
  put_plain("other", "v", 150);
  put_plain("gone", "v", 150);
  put_plain("gone", std::nullopt, 200);
  put_plain("active", "v", 200);
  options.segment_bytes = 600;
  set_options();
  const Offset second = second_segment();
  close();
  const LogHost::Files before = host->files();
  int raced = 0;
  for (uint64_t step = 1; step <= 30; ++step) {
    move_to_host(step, before);
    ASSERT_TRUE(open());
    commit();
    std::optional<Status> moved;
    disk().at_operation(step,
                        [&] { host->world().spawn(host->env(), advance_after(host->env(), *log, second, 0, moved)); });
    ASSERT_TRUE(run(log->clean()));
    disk().heal();
    host->world().run_for(seconds(1));
    raced += moved && !disk().contents(path_of(Offset(0), ".log")) && values("gone").size() == 2;
    for (int pass = 0; pass < 3; ++pass) {
      host->pass_wall_ms(2000);
      options.segment_bytes = 300;
      set_options();
      put_plain("later" + std::to_string(pass), "v", 200);
      options.segment_bytes = 600;
      set_options();
      ASSERT_TRUE(run(log->clean()));
      const auto left = values("gone");
      ASSERT_TRUE(left.empty() || left.back().ends_with("<null>")) << step << ": the deleted record is there again";
    }
    EXPECT_TRUE(values("gone").empty()) << step;
    close();
  }
  EXPECT_GT(raced, 0) << "at no step the segment went between the reading and the swap";
}

}  // namespace
}  // namespace farshore::log_test
