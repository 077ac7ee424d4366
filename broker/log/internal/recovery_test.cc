#include "broker/log/internal/recovery.h"

#include "broker/log/testing/log_fixture.h"

namespace farshore::log_test {
namespace {

struct RecoveryTest : LogTest {
  void abort_transaction() {
    BatchBuilder data = batch_of(1);
    data.producer(5, 0, 0).transactional();
    ASSERT_TRUE(append(data));
    BatchBuilder marker;
    marker.producer(5, 0, -1).add_marker(ControlType::kAbort, 0, host->wall_ms());
    ASSERT_TRUE(append(marker, 0, AppendOrigin::kCoordinator));
  }
  // One batch of one record for each pair of offset and epoch.
  void append_of_mirror(const std::vector<std::pair<int64_t, int32_t>>& batches) {
    for (auto [offset, epoch] : batches) {
      BatchBuilder batch = batch_of(1);
      batch.base_offset(offset).leader_epoch(epoch);
      ASSERT_TRUE(append(batch, epoch, AppendOrigin::kMirror)) << offset;
    }
  }
  void lose_power() {
    kill();
    host->power_off(PowerLoss::kDropAll);
    host->start();
    ASSERT_TRUE(open());
  }
};

TEST_F(RecoveryTest, KilledProcessLosesNoAppendedBatch) {
  options.segment_bytes = 4000;
  set_options();
  fill(60, 3, 2);
  ASSERT_TRUE(reopen_killed());
  EXPECT_FALSE(log->recovery().clean);
  EXPECT_EQ(log->ends().end, Offset(180));
  EXPECT_EQ(log->ends().flushed_end, Offset(180));
  EXPECT_EQ(log->last_epoch(), LogEpoch(2));
  EXPECT_EQ(bases(0).size(), 60U);
}

TEST_F(RecoveryTest, TornTailIsCutAndNothingElse) {
  fill(3);
  ASSERT_TRUE(run(log->flush()));
  fill(3);
  const std::string file = path_of(Offset(0), ".log");
  const std::string whole = disk().contents(file).value();
  const size_t durable = whole.size() / 2;
  for (size_t size = durable; size < whole.size(); size += 5) {
    kill();
    disk().put_contents(file, whole.substr(0, size));
    host->start();
    ASSERT_TRUE(open()) << size;
    size_t kept = size / (whole.size() / 6);
    EXPECT_EQ(bases(0).size(), kept);
    EXPECT_EQ(log->recovery().cut_bytes, size - kept * (whole.size() / 6));
    ASSERT_TRUE(run(log->truncate_to(Offset(6), true)));
  }
}

TEST_F(RecoveryTest, DamageBelowTheRecoveryPointQuarantinesAndCutsNothing) {
  options.segment_bytes = 1000;
  set_options();
  fill(31);
  ASSERT_TRUE(run(log->flush()));
  kill();
  const LogHost::Files before = host->files();
  std::vector<std::string> logs = files(".log");
  ASSERT_GT(logs.size(), 3U);
  struct Damage {
    const char* what;
    std::function<void()> make;
  };
  const Damage damages[] = {
      {"a flipped bit in the segment that is scanned",
       [&] { edit(logs.back(), [](std::string& bytes) { bytes[70] ^= 1; }); }},
      {"an old segment cut short", [&] { edit(logs[1], [](std::string& bytes) { bytes.resize(300); }); }},
      {"the last segment cut below the recovery point", [&] { disk().put_contents(logs.back(), ""); }},
      {"the first segment missing", [&] { disk().erase(logs.front()); }},
      {"the last segment missing", [&] { disk().erase(logs.back()); }},
  };
  for (const auto& damage : damages) {
    host->restore(before);
    damage.make();
    std::map<std::string, std::string> damaged;
    for (const auto& name : files(".log")) damaged[name] = disk().contents(name).value();
    for (int i = 0; i < 2; ++i) {
      host->start();
      auto opened = open();
      ASSERT_FALSE(opened) << damage.what;
      EXPECT_EQ(opened.error(), ErrorCode::kCorrupt) << damage.what;
      EXPECT_NE(opened.error().detail.find("quarantined"), std::string::npos) << opened.error().detail;
    }
    for (const auto& [name, bytes] : damaged) EXPECT_EQ(disk().contents(name), bytes) << damage.what;
  }
  // An operator accepts the loss, as FORMAT.md says.
  host->restore(before);
  edit(logs[1], [](std::string& bytes) { bytes[70] ^= 1; });
  disk().erase(path_of(log_format::kCheckpoint));
  host->start();
  ASSERT_TRUE(open());
  EXPECT_EQ(Offset(bases(0).back() + 2), log->ends().end);
  EXPECT_LT(log->ends().end, Offset(30));
}

TEST_F(RecoveryTest, DeletedDerivedFilesAreRebuilt) {
  options.segment_bytes = 800;
  set_options();
  BatchBuilder data = batch_of(1);
  data.producer(3, 0, 0).transactional();
  ASSERT_TRUE(append(data));
  fill(10);
  BatchBuilder abort;
  abort.producer(3, 0, -1).add_marker(ControlType::kAbort, 0, host->wall_ms());
  ASSERT_TRUE(append(abort, 0, AppendOrigin::kCoordinator));
  fill(10);
  commit();
  for (bool clean : {true, false}) {
    ASSERT_TRUE(clean ? reopen_clean() : reopen_killed());
    if (clean) close();
    kill();
    for (const auto& suffix : {"index", ".snapshot"})
      for (const auto& name : files(suffix)) disk().erase(name);
    host->start();
    ASSERT_TRUE(open());
    EXPECT_EQ(bases(0).size(), 22U);
    auto aborted = run(log->aborted_in(Offset(0), Offset(100))).value();
    ASSERT_EQ(aborted.size(), 1U);
    EXPECT_EQ(aborted[0].first, Offset(0));
    EXPECT_EQ(log->producers().size(), 1U);
    EXPECT_TRUE(run(log->offset_for_time(host->wall_ms())).has_value());
  }
}

TEST_F(RecoveryTest, ValidBatchesStayWhenSideFilesAreLostOrDamaged) {
  options.segment_bytes = 1000;
  set_options();
  fill(20, 2, 3);
  fill(20, 2, 5);
  kill();
  const LogHost::Files before = host->files();
  const std::string jumps = path_of(log_format::kJumps), epochs = path_of(log_format::kEpochs);
  ASSERT_GE(disk().contents(jumps).value().size(), 48U);
  struct Damage {
    const char* what;
    std::function<void()> make;
  };
  const Damage damages[] = {
      {"no notes", [&] { disk().erase(jumps); }},
      {"an emptied file", [&] { disk().put_contents(jumps, ""); }},
      {"zeros", [&] { edit(jumps, [](std::string& bytes) { bytes.assign(bytes.size(), 0); }); }},
      {"a flipped bit in the first note", [&] { edit(jumps, [](std::string& bytes) { bytes[5] ^= 1; }); }},
      {"a flipped bit in the last note", [&] { edit(jumps, [](std::string& bytes) { bytes.back() ^= 1; }); }},
      {"one note only", [&] { edit(jumps, [](std::string& bytes) { bytes.resize(24); }); }},
      {"a note cut short", [&] { edit(jumps, [](std::string& bytes) { bytes.resize(bytes.size() - 5); }); }},
      {"neither notes nor epochs", [&] { disk().erase(jumps), disk().erase(epochs); }},
  };
  for (const auto& damage : damages) {
    host->restore(before);
    damage.make();
    host->start();
    ASSERT_TRUE(open()) << damage.what;
    EXPECT_EQ(log->ends().end, Offset(80)) << damage.what;
    EXPECT_EQ(log->recovery().cut_bytes, 0U) << damage.what;
    EXPECT_EQ(log->last_epoch(), LogEpoch(5)) << damage.what;
    kill();
  }
  host->start();
  ASSERT_TRUE(open());
}

TEST_F(RecoveryTest, OnlyBatchOfALogStaysWhenItsNoteIsLost) {
  fill(1, 500);
  kill();
  disk().erase(path_of(log_format::kJumps));
  host->start();
  ASSERT_TRUE(open());
  EXPECT_EQ(log->ends().end, Offset(500));
}

TEST_F(RecoveryTest, BatchesWithMirroredGapsStayWhenTheirNotesAreLost) {
  for (int64_t at : {5, 100, 1000, 1001}) {
    BatchBuilder batch = batch_of(1);
    batch.base_offset(at).leader_epoch(at < 500 ? 2 : 7);
    ASSERT_TRUE(append(batch, 7, AppendOrigin::kMirror));
  }
  kill();
  disk().erase(path_of(log_format::kJumps));
  host->start();
  ASSERT_TRUE(open());
  EXPECT_EQ(log->ends().end, Offset(1002));
  EXPECT_EQ(bases(0), (std::vector<int64_t>{5, 100, 1000, 1001}));
}

TEST_F(RecoveryTest, ChangedOffsetIsCutIfItsNoteSaysAnother) {
  append_of_mirror({{0, 3}, {306, 3}, {307, 3}, {308, 4}});
  kill();
  const LogHost::Files before = host->files();
  const size_t second = batch_of(1).build_run(arena).bytes.size();  // where the second batch begins
  const std::string segment = path_of(Offset(0), log_format::kLog);
  // 306 becomes 50 and 305; its epoch, 3, becomes 0 and 2.
  const std::function<void(std::string&)> changes[] = {
      [&](std::string& bytes) { bytes[second + 6] = 0; },
      [&](std::string& bytes) { bytes[second + 7] = 0x31; },
      [&](std::string& bytes) { bytes[second + 15] = 0; },
      [&](std::string& bytes) { bytes[second + 15] = 2; },
  };
  for (const auto& change : changes) {
    host->restore(before);
    edit(segment, change);
    host->start();
    ASSERT_TRUE(open());
    EXPECT_EQ(bases(0), std::vector<int64_t>{0}) << &change - changes;
    EXPECT_GT(log->recovery().cut_bytes, 0u);
    kill();
  }
  host->restore(before);
  host->start();
  ASSERT_TRUE(open());
  EXPECT_EQ(bases(0), (std::vector<int64_t>{0, 306, 307, 308}));
}

TEST_F(RecoveryTest, NotesOfBatchesThatWereCutOffAreNotHeldAgainstLaterOnes) {
  append_of_mirror({{0, 3}, {5, 3}, {20, 4}, {30, 6}});
  ASSERT_TRUE(run(log->truncate_to(Offset(1), false)));
  std::vector<std::pair<int64_t, int32_t>> next;
  for (int64_t at = 1; at <= 30; ++at) next.emplace_back(at, at < 10 ? 3 : at < 25 ? 4 : 6);
  append_of_mirror(next);
  ASSERT_TRUE(reopen_killed());
  EXPECT_EQ(log->ends().end, Offset(31));
  EXPECT_EQ(log->recovery().cut_bytes, 0u);
  EXPECT_EQ(log->last_epoch(), LogEpoch(6));
}

TEST_F(RecoveryTest, NotesOfAnAppendThatAFullDiskRefusedAreNotHeldAgainstLaterOnes) {
  append_of_mirror({{0, 3}});
  BatchBuilder large = batch_of(1, 1, std::string(50'000, 'x'));
  large.base_offset(5).leader_epoch(4);
  disk().set_capacity(disk().used_bytes() + 20'000);  // the note has room
  EXPECT_EQ(append(large, 4, AppendOrigin::kMirror).error(), ErrorCode::kNoSpace);
  disk().heal();
  append_of_mirror({{1, 3}, {2, 4}, {3, 4}});
  ASSERT_TRUE(reopen_killed());
  EXPECT_EQ(log->ends().end, Offset(4));
  EXPECT_EQ(log->last_epoch(), LogEpoch(4));
}

TEST_F(RecoveryTest, LogWithoutNotesIsNotReadOnceForEachBatch) {
  std::vector<std::pair<int64_t, int32_t>> batches;
  for (int64_t i = 0; i < 1000; ++i) batches.emplace_back(10 * i, 3);
  append_of_mirror(batches);
  kill();
  disk().erase(path_of(log_format::kJumps));
  host->start();
  const uint64_t before = disk().operations(DiskOp::kRead);
  ASSERT_TRUE(open());
  EXPECT_EQ(log->ends().end, Offset(9981)) << "all but the last, which nothing confirms";
  EXPECT_LT(disk().operations(DiskOp::kRead) - before, 50u);
}

TEST_F(RecoveryTest, EpochsStayWhenTheirFileIsLostAtASegmentBoundary) {
  options.segment_bytes = 1000;
  set_options();
  fill(5, 2, 3);
  ASSERT_TRUE(reopen_clean());
  while (files(".log").size() == 1) fill(1, 2, 3);
  kill();
  disk().erase(path_of(log_format::kJumps));
  disk().erase(path_of(log_format::kEpochs));
  host->start();
  ASSERT_TRUE(open());
  EXPECT_EQ(log->recovery().cut_bytes, 0U);
  EXPECT_EQ(log->last_epoch(), LogEpoch(3));
}

TEST_F(RecoveryTest, AbortedTransactionsAreKnownAfterAPowerLossThatFollowsARecovery) {
  options.segment_bytes = 600;
  set_options();
  abort_transaction();
  fill(20);
  ASSERT_TRUE(reopen_killed());
  ASSERT_FALSE(log->recovery().clean);
  EXPECT_EQ(run(log->aborted_in(Offset(0), Offset(1)))->size(), 1U);
  lose_power();
  EXPECT_EQ(run(log->aborted_in(Offset(0), Offset(1)))->size(), 1U);
}

TEST_F(RecoveryTest, AbortedTransactionsOfARolledSegmentAreKnownAfterAPowerLoss) {
  options.segment_bytes = 600;
  set_options();
  fill(1);
  abort_transaction();
  disk().set_instant(false);
  disk().set_slow(milliseconds(1), milliseconds(1));
  while (files(".log").size() == 1) {  // so all batches are durable before the roll
    ASSERT_TRUE(run(log->flush()));
    ASSERT_TRUE(append(batch_of(1)));
  }
  host->world().run_for(seconds(1));
  commit();
  ASSERT_TRUE(run(log->advance_log_start(Offset(1))));  // makes the recovery point durable
  ASSERT_TRUE(run(host->env().files().sync_dir(kDir)));
  lose_power();
  ASSERT_EQ(files(".log").size(), 2U);
  EXPECT_EQ(run(log->aborted_in(Offset(2), Offset(3)))->size(), 1U);
}

}  // namespace
}  // namespace farshore::log_test
