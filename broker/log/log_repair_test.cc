// Truncation, resets, retention, and everything that is found wrong at opening or on use.
#include "broker/log/log_fixture.h"

namespace farshore::log_test {
namespace {

using log_format::kEpochs;

TEST_F(LogTest, TruncationRemovesWholeBatchesFromTheOneThatHoldsTheOffset) {
  options.segment_bytes = 1000;
  options.index_interval_bytes = 200;
  for (int64_t to = 0; to <= 60; ++to) {
    log->set_options(options);
    fill(20, 3, 0);
    ASSERT_TRUE(run(*env, log->truncate_to(Offset(to), false))) << to;
    int64_t end = to / 3 * 3;
    EXPECT_EQ(log->ends().end, Offset(end)) << to;
    EXPECT_EQ(bases(0).size(), static_cast<size_t>(end / 3));
    EXPECT_LE(log->ends().flushed_end, log->ends().end);
    ASSERT_TRUE(append(batch_of(1)));
    EXPECT_EQ(bases(0).size(), static_cast<size_t>(end / 3 + 1));
    ASSERT_TRUE(to % 2 ? reopen_clean() : reopen_killed());
    EXPECT_EQ(log->ends().end, Offset(end + 1));
    EXPECT_EQ(bases(0).size(), static_cast<size_t>(end / 3 + 1));
    ASSERT_TRUE(run(*env, log->reset_to(Offset(0))));
  }
}

TEST_F(LogTest, TruncationBelowTheHighWatermarkMustBeMeant) {
  fill(5);
  commit();
  EXPECT_EQ(run(*env, log->truncate_to(Offset(4), false)).error(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(log->ends().end, Offset(10));
  ASSERT_TRUE(run(*env, log->truncate_to(Offset(4), true)));
  EXPECT_EQ(log->ends().high_watermark, Offset(4));
}

TEST_F(LogTest, ATruncationThatDiedBeforeItsEpochsWereForgottenIsFinishedByTheNextOne) {
  int stale = 0;
  for (uint64_t n = 1; n <= 60; ++n) {
    stop();
    disk = Disk();
    env = std::make_unique<TestEnv>(disk);
    ASSERT_TRUE(open());
    fill(3, 2, 0);
    fill(2, 2, 1);
    ASSERT_TRUE(run(*env, log->flush()));
    env->die_at = env->steps + n;
    (void)try_run(*env, log->truncate_to(Offset(6), true));
    ASSERT_TRUE(reopen_killed());
    if (log->ends().end == Offset(6) && log->last_epoch() == LogEpoch(1)) ++stale;
    for (int time = 0; time < 2; ++time) {
      ASSERT_TRUE(run(*env, log->truncate_to(Offset(6), true)));
      EXPECT_EQ(log->ends().end, Offset(6)) << n;
      EXPECT_EQ(log->last_epoch(), LogEpoch(0)) << n;
      ASSERT_TRUE(reopen_killed());
      EXPECT_EQ(log->last_epoch(), LogEpoch(0)) << n;
    }
  }
  EXPECT_GT(stale, 0) << "no death fell between the cut and the epochs";
}

TEST_F(LogTest, TruncationTakesEpochsProducersAndTransactionsBack) {
  fill(1, 1, 1);
  BatchBuilder first = batch_of(1);
  first.producer(7, 0, 0).transactional();
  ASSERT_TRUE(append(first, 1));
  ASSERT_TRUE(run(*env, log->begin_epoch(LogEpoch(2))));
  BatchBuilder second = batch_of(1);
  second.producer(7, 0, 1).transactional();
  ASSERT_TRUE(append(second, 2));
  BatchBuilder abort;
  abort.producer(7, 0, -1).add_marker(ControlType::kAbort, 0, env->wall_ms);
  ASSERT_TRUE(append(abort, 2, AppendOrigin::kCoordinator));
  EXPECT_EQ(run(*env, log->aborted_in(Offset(0), Offset(10)))->size(), 1U);
  ASSERT_TRUE(run(*env, log->truncate_to(Offset(2), false)));
  EXPECT_EQ(log->last_epoch(), LogEpoch(1));
  EXPECT_EQ(log->producers().at(0).last_sequence, 0);
  EXPECT_EQ(log->producers().at(0).txn_first, Offset(1));
  EXPECT_TRUE(run(*env, log->aborted_in(Offset(0), Offset(10)))->empty());
  commit();
  EXPECT_EQ(log->ends().last_stable, Offset(1)) << "the transaction is open again";
  EXPECT_EQ(append(second, 2)->first, Offset(2)) << "its sequence is the next one again";
}

TEST_F(LogTest, AResetContinuesAnywhere) {
  fill(5, 2, 3);
  for (int64_t start : {1000L, 0L, 7L}) {
    ASSERT_TRUE(run(*env, log->reset_to(Offset(start))));
    LogEnds ends = log->ends();
    EXPECT_EQ(ends.log_start, Offset(start));
    EXPECT_EQ(ends.end, Offset(start));
    EXPECT_EQ(log->last_epoch(), LogEpoch(-1));
    EXPECT_TRUE(log->producers().empty());
    EXPECT_EQ(append(batch_of(2), 1)->first, Offset(start));
    ASSERT_TRUE(reopen_killed());
    EXPECT_EQ(log->ends().log_start, Offset(start));
    EXPECT_EQ(bases(start), std::vector<int64_t>{start});
  }
}

TEST_F(LogTest, RaisingTheLogStartDeletesWholeSegmentsBelow) {
  options.segment_bytes = 500;
  log->set_options(options);
  fill(30, 2, 4);
  EXPECT_EQ(run(*env, log->advance_log_start(Offset(10))).error(), ErrorCode::kOutOfRange) << "not committed";
  commit();
  size_t segments = files(".log").size();
  ASSERT_TRUE(run(*env, log->advance_log_start(Offset(31))));
  EXPECT_LT(files(".log").size(), segments);
  EXPECT_EQ(run(*env, log->read(Offset(30), ReadBound::kLogEnd, 100)).error(), ErrorCode::kOutOfRange);
  EXPECT_EQ(bases(31).front(), 30) << "the batch that holds it";
  EXPECT_EQ(log->epoch_end(LogEpoch(3)).end, Offset(31));
  ASSERT_TRUE(reopen_killed());
  EXPECT_EQ(log->ends().log_start, Offset(31));
  ASSERT_TRUE(run(*env, log->advance_log_start(Offset(60))));
  EXPECT_EQ(log->ends().log_start, Offset(60));
  ASSERT_TRUE(append(batch_of(1), 4));
}

TEST_F(LogTest, ReadersKeepWhatTheyPinnedThroughDeletion) {
  options.segment_bytes = 300;
  log->set_options(options);
  fill(10);
  commit();
  auto slice = run(*env, log->read(Offset(0), ReadBound::kHighWatermark, 1000)).value();
  ASSERT_TRUE(run(*env, log->advance_log_start(Offset(20))));
  std::string bytes(slice.ranges[0].length, '\0');
  auto into = std::as_writable_bytes(std::span(bytes.data(), bytes.size()));
  EXPECT_EQ(run(*env, slice.ranges[0].file->read_at(slice.ranges[0].position, into)).value(), bytes.size());
  EXPECT_TRUE(BatchHeader::parse(as_bytes(bytes)));
}

TEST_F(LogTest, RetentionDeletesByTimeNeverAboveTheHighWatermark) {
  options.segment_bytes = 500;
  options.retention_ms = 1000;
  log->set_options(options);
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(append(batch_of(2, env->wall_ms)));
  env->wall_ms += 5000;
  EXPECT_EQ(run(*env, log->apply_retention()).value(), 0) << "nothing is committed";
  log->set_high_watermark(Offset(20));
  EXPECT_GT(run(*env, log->apply_retention()).value(), 0);
  EXPECT_LE(log->ends().log_start, Offset(20));
  EXPECT_GT(log->ends().log_start, Offset(0));
  commit();
  EXPECT_GT(run(*env, log->apply_retention()).value(), 0);
  EXPECT_EQ(log->ends().log_start, Offset(40)) << "the active segment rolls and goes too";
  EXPECT_EQ(append(batch_of(1, env->wall_ms))->first, Offset(40));
  ASSERT_TRUE(reopen_killed());
  EXPECT_EQ(log->ends().log_start, Offset(40));
}

TEST_F(LogTest, RetentionDeletesBySizeAndAMirrorNothing) {
  options.segment_bytes = 500;
  options.retention_ms = -1;
  options.retention_bytes = 1200;
  options.follows_source = true;
  log->set_options(options);
  fill(40);
  commit();
  EXPECT_EQ(run(*env, log->apply_retention()).value(), 0);
  options.follows_source = false;
  log->set_options(options);
  EXPECT_GT(run(*env, log->apply_retention()).value(), 0);
  EXPECT_GE(log->size_bytes(), 1200U);
  EXPECT_LE(log->size_bytes(), 1200U + 600U);
}

TEST_F(LogTest, ProducersExpireByTheirRecordsTimeButNotInATransaction) {
  BatchBuilder old = batch_of(1, env->wall_ms - 1000);
  old.producer(1, 0, 0);
  ASSERT_TRUE(append(old));
  BatchBuilder open = batch_of(1, env->wall_ms - 1000);
  open.producer(2, 0, 0).transactional();
  ASSERT_TRUE(append(open));
  options.producer_id_expiration_ms = 500;
  log->set_options(options);
  ASSERT_TRUE(run(*env, log->apply_retention()));
  ASSERT_EQ(log->producers().size(), 1U);
  EXPECT_EQ(log->producers()[0].producer_id, 2);
}

TEST_F(LogTest, BitFlipsInAnyIndexFileAreFoundOrHarmless) {
  options.segment_bytes = 1500;
  options.index_interval_bytes = 100;
  log->set_options(options);
  const int64_t t0 = env->wall_ms - 100000;
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(append(batch_of(2, t0 + i * 10)));
  ASSERT_TRUE(reopen_clean());
  stop();
  settle();
  const Names before = disk.names;
  Random random(5);
  std::vector<std::string> victims = files("index");
  ASSERT_GT(victims.size(), 6U);
  for (int round = 0; round < 300; ++round) {
    disk.names.clear();
    for (const auto& [name, inode] : before) disk.names[name] = std::make_shared<Inode>(*inode);
    std::string& bytes = disk.names.at(victims[random.below(victims.size())])->now;
    if (bytes.empty()) continue;
    size_t at = random.below(bytes.size());
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << random.below(8)));
    env = std::make_unique<TestEnv>(disk);
    ASSERT_TRUE(open()) << round;
    EXPECT_EQ(bases(0, 300).size(), 40U) << round;
    for (int i = 0; i < 40; i += 3) {
      auto found = run(*env, log->offset_for_time(t0 + i * 10));
      ASSERT_TRUE(found && *found) << round;
      EXPECT_EQ((*found)->offset, Offset(i * 2)) << round;
    }
    stop();
  }
}

TEST_F(LogTest, DeletedDerivedFilesAreMadeAgain) {
  options.segment_bytes = 800;
  log->set_options(options);
  BatchBuilder data = batch_of(1);
  data.producer(3, 0, 0).transactional();
  ASSERT_TRUE(append(data));
  fill(10);
  BatchBuilder abort;
  abort.producer(3, 0, -1).add_marker(ControlType::kAbort, 0, env->wall_ms);
  ASSERT_TRUE(append(abort, 0, AppendOrigin::kCoordinator));
  fill(10);
  commit();
  for (bool clean : {true, false}) {
    ASSERT_TRUE(clean ? reopen_clean() : reopen_killed());
    if (clean) stop();
    env->kill();
    log.reset();
    for (const auto& suffix : {"index", ".snapshot"})
      for (const auto& name : files(suffix)) disk.names.erase(name);
    env = std::make_unique<TestEnv>(disk);
    ASSERT_TRUE(open());
    EXPECT_EQ(bases(0).size(), 22U);
    auto aborted = run(*env, log->aborted_in(Offset(0), Offset(100))).value();
    ASSERT_EQ(aborted.size(), 1U);
    EXPECT_EQ(aborted[0].first, Offset(0));
    EXPECT_EQ(log->producers().size(), 1U);
    EXPECT_TRUE(run(*env, log->offset_for_time(env->wall_ms)).has_value());
  }
}

TEST_F(LogTest, AnEpochFileThatLiesIsNotBelieved) {
  fill(3, 2, 1);
  fill(3, 2, 5);
  ASSERT_TRUE(reopen_clean());
  const char* lies[] = {"0\n1\n9 0\n",
                        "0\n2\n1 0\n5 4\n",
                        "0\n2\n1 0\n5 8\n",
                        "0\n3\n1 0\n3 4\n5 6\n",
                        "0\n1\n1 0\n",
                        "",
                        "garbage",
                        "0\n3\n1 0\n5 6\n8 10\n",
                        "0\n3\n1 0\n5 6\n",
                        "7\n0\n",
                        "0\n3\n1 0\n5 6\n9 500\n"};
  for (const char* lie : lies) {
    stop();
    content(kEpochs) = lie;
    env = std::make_unique<TestEnv>(disk);
    ASSERT_TRUE(open()) << lie;
    EXPECT_EQ(log->epoch_end(LogEpoch(1)).end, Offset(6)) << lie;
    EXPECT_EQ(log->epoch_at(Offset(5)), LogEpoch(1)) << lie;
    EXPECT_EQ(log->epoch_at(Offset(6)), LogEpoch(5)) << lie;
    EXPECT_EQ(log->last_epoch(), LogEpoch(5)) << lie;
  }
}

TEST_F(LogTest, ATornTailIsCutAndNothingElse) {
  fill(3);
  ASSERT_TRUE(run(*env, log->flush()));
  fill(3);
  const std::string whole = content(Offset(0), ".log");
  const size_t durable = whole.size() / 2;
  for (size_t size = durable; size < whole.size(); size += 5) {
    env->kill();
    log.reset();
    content(Offset(0), ".log") = whole.substr(0, size);
    env = std::make_unique<TestEnv>(disk);
    ASSERT_TRUE(open()) << size;
    size_t kept = size / (whole.size() / 6);
    EXPECT_EQ(bases(0).size(), kept);
    EXPECT_EQ(log->recovery().cut_bytes, size - kept * (whole.size() / 6));
    ASSERT_TRUE(run(*env, log->truncate_to(Offset(6), true)));
  }
}

TEST_F(LogTest, DamageBelowTheRecoveryPointClosesThePartitionAndCutsNothing) {
  options.segment_bytes = 1000;
  log->set_options(options);
  fill(31);
  ASSERT_TRUE(run(*env, log->flush()));
  env->kill();
  log.reset();
  settle();
  const Names before = disk.names;
  std::vector<std::string> logs = files(".log");
  ASSERT_GT(logs.size(), 3U);
  struct Damage {
    const char* what;
    std::function<void()> make;
  };
  const Damage damages[] = {
      {"a flipped bit in the segment that is scanned", [&] { disk.names.at(logs.back())->now[70] ^= 1; }},
      {"an old segment cut short", [&] { disk.names.at(logs[1])->now.resize(300); }},
      {"the last segment cut below the recovery point", [&] { disk.names.at(logs.back())->now.clear(); }},
      {"the first segment missing", [&] { disk.names.erase(logs.front()); }},
      {"the last segment missing", [&] { disk.names.erase(logs.back()); }},
  };
  for (const auto& damage : damages) {
    disk.names.clear();
    for (const auto& [name, inode] : before) disk.names[name] = std::make_shared<Inode>(*inode);
    damage.make();
    std::map<std::string, std::string> damaged;
    for (const auto& name : files(".log")) damaged[name] = disk.names.at(name)->now;
    for (int i = 0; i < 2; ++i) {
      env = std::make_unique<TestEnv>(disk);
      auto opened = open();
      ASSERT_FALSE(opened) << damage.what;
      EXPECT_EQ(opened.error(), ErrorCode::kCorrupt) << damage.what;
      EXPECT_NE(opened.error().detail.find("quarantined"), std::string::npos) << opened.error().detail;
    }
    for (const auto& [name, bytes] : damaged) EXPECT_EQ(disk.names.at(name)->now, bytes) << damage.what;
  }
  // Somebody accepts the loss, as FORMAT.md says.
  disk.names.clear();
  for (const auto& [name, inode] : before) disk.names[name] = std::make_shared<Inode>(*inode);
  disk.names.at(logs[1])->now[70] ^= 1;
  disk.names.erase(std::string(kDir) + "/partition.checkpoint");
  env = std::make_unique<TestEnv>(disk);
  ASSERT_TRUE(open());
  EXPECT_EQ(Offset(bases(0).back() + 2), log->ends().end);
  EXPECT_LT(log->ends().end, Offset(30));
}

TEST_F(LogTest, AHugeGapBeginsASegmentAndSurvives) {
  BatchBuilder first;
  first.base_offset(0).leader_epoch(1).add(1, "a", "b");
  ASSERT_TRUE(append(first, 0, AppendOrigin::kMirror));
  const int64_t far = 5LL << 32;
  BatchBuilder later;
  later.base_offset(far).leader_epoch(1).add(2, "a", "b");
  ASSERT_TRUE(append(later, 0, AppendOrigin::kMirror));
  EXPECT_EQ(bases(0), (std::vector<int64_t>{0, far}));
  ASSERT_TRUE(reopen_killed());
  EXPECT_EQ(bases(0), (std::vector<int64_t>{0, far}));
  EXPECT_EQ(log->ends().end, Offset(far + 1));
  ASSERT_TRUE(reopen_clean());
  EXPECT_EQ(bases(1), std::vector<int64_t>{far});
}

TEST_F(LogTest, SegmentsRollByTheirRecordsTime) {
  options.segment_ms = 1000;
  log->set_options(options);
  ASSERT_TRUE(append(batch_of(1, 5000)));
  ASSERT_TRUE(append(batch_of(1, 5900)));
  EXPECT_EQ(files(".log").size(), 1U);
  ASSERT_TRUE(append(batch_of(1, 6100)));
  EXPECT_EQ(files(".log").size(), 2U);
}

}  // namespace
}  // namespace farshore::log_test
