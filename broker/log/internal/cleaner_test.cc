#include "broker/log/internal/cleaner.h"

#include "broker/log/testing/log_fixture.h"

namespace farshore::log_test {
namespace {

struct CleanerTest : LogTest {
  void SetUp() override {
    options.cleanup_policy = CleanupPolicy::kCompact;
    options.segment_bytes = 600;
    options.min_cleanable_ratio = 0.01;
    options.delete_retention_ms = 1000;
    ASSERT_TRUE(open());
  }
  void put(std::string_view key, std::optional<std::string_view> value) {
    BatchBuilder batch;
    batch.add(host->wall_ms(), key, value).compression(Compression::kLz4);
    ASSERT_TRUE(append(batch));
    ++puts_;
  }
  void put_large(std::string_view key) {  // 512 KiB
    BatchBuilder batch;
    batch.add(host->wall_ms(), key, std::string(512 << 10, 'x'));
    ASSERT_TRUE(append(batch));
    commit();
  }
  void put_in_txn(int64_t producer, std::string_view key, std::string_view value) {
    BatchBuilder batch;
    batch.producer(producer, 0, sequences_[producer]++).transactional().add(host->wall_ms(), key, value);
    ASSERT_TRUE(append(batch));
  }
  void end_txn(int64_t producer, ControlType type) {
    BatchBuilder marker;
    marker.producer(producer, 0, -1).add_marker(type, 0, host->wall_ms());
    ASSERT_TRUE(append(marker, 0, AppendOrigin::kCoordinator));
  }
  Offset second_segment() {
    auto names = files(".log");
    return log_format::parse_file_name(std::string_view(names[1]).substr(names[1].rfind('/') + 1))->base;
  }
  static Task<void> wait_turns(Env& env, int count, int& turns) {
    for (; turns < count; ++turns) {
      Wait<void> turn(env);
      env.post([turn] { turn.complete(ok()); });
      (void)co_await turn.wait(Deadline::never());
    }
  }
  static Task<void> advance_after(Env& env, Log& log, Offset to, int turns, std::optional<Status>& moved) {
    int waited = 0;
    co_await wait_turns(env, turns, waited);
    moved = co_await log.advance_log_start(to);
  }
  void fill_segment() {  // so that what was put before is not in the active segment
    size_t logs = files(".log").size();
    while (files(".log").size() == logs) put("filler" + std::to_string(puts_), std::string(200, 'x'));
    commit();
  }
  // key -> {offset, value}, of every record that is there
  std::multimap<std::string, std::pair<int64_t, std::string>> records() {
    std::multimap<std::string, std::pair<int64_t, std::string>> found;
    for (int64_t from = log->ends().log_start.value();;) {
      auto batches = run(log->read_run(Offset(from), ReadBound::kLogEnd, 1 << 20)).value();
      if (batches.empty()) return found;
      EXPECT_TRUE(verify_crc(batches));
      size_t begin = 0;
      for (const auto& header : batches.batches) {
        auto reader = RecordReader::open(header, batches.bytes, begin).value();
        Record record;
        while (!header.control() && reader.next(record).value())
          found.emplace(*record.key, std::pair(record.offset.value(), std::string(record.value.value_or("<null>"))));
        begin += header.size_bytes();
      }
      from = batches.next().value();
    }
  }
  std::vector<std::string> values(const std::string& key) {
    std::vector<std::string> all;
    auto found = records();
    for (auto [at, end] = found.equal_range(key); at != end; ++at)
      all.push_back(std::to_string(at->second.first) + "=" + at->second.second);
    return all;
  }
  int puts_ = 0;
  std::map<int64_t, int32_t> sequences_;
};

TEST_F(CleanerTest, LatestValueOfEachKeyStaysAtItsOffset) {
  for (int i = 0; i < 20; ++i) put("a", "a" + std::to_string(i));
  put("b", "b");
  fill_segment();
  const int64_t end = log->ends().end.value();
  size_t logs = files(".log").size();
  EXPECT_GT(run(log->clean()).value(), 0U);
  EXPECT_EQ(values("a"), std::vector<std::string>{"19=a19"});
  EXPECT_EQ(values("b"), std::vector<std::string>{"20=b"});
  EXPECT_EQ(log->ends().end, Offset(end));
  EXPECT_EQ(bases(0).front(), 19) << "a reader finds the next batch after the gap";
  EXPECT_EQ(run(log->clean()).value(), 0U) << "nothing is dirty";
  EXPECT_EQ(files(".log").size(), logs);
  for (bool clean : {true, false}) {
    ASSERT_TRUE(clean ? reopen_clean() : reopen_killed());
    EXPECT_EQ(values("a"), std::vector<std::string>{"19=a19"});
    EXPECT_EQ(log->ends().end, Offset(end));
    EXPECT_EQ(files(".cleaned").size() + files("intent").size(), 0U);
  }
  logs = files(".log").size();
  fill_segment();
  ASSERT_TRUE(run(log->clean()));
  EXPECT_LT(files(".log").size(), logs) << "small segments become one";
  EXPECT_EQ(values("a"), std::vector<std::string>{"19=a19"});
}

TEST_F(CleanerTest, TombstoneStaysForDeleteRetention) {
  put("a", "old");
  put("a", std::nullopt);
  fill_segment();
  ASSERT_TRUE(run(log->clean()));
  EXPECT_EQ(values("a"), std::vector<std::string>{"1=<null>"});
  host->pass_wall_ms(999);
  fill_segment();
  ASSERT_TRUE(run(log->clean()));
  EXPECT_EQ(values("a"), std::vector<std::string>{"1=<null>"});
  host->pass_wall_ms(2);
  fill_segment();
  ASSERT_TRUE(run(log->clean()));
  EXPECT_TRUE(values("a").empty());
}

TEST_F(CleanerTest, LastBatchHeaderOfEachProducerStays) {
  for (int i = 0; i < 3; ++i) {
    BatchBuilder batch;
    batch.producer(44, 1, i).add(host->wall_ms(), "k", "v" + std::to_string(i));
    ASSERT_TRUE(append(batch));
  }
  put("k", "newest");
  fill_segment();
  ASSERT_TRUE(run(log->clean()));
  auto batches = run(log->read_run(Offset(0), ReadBound::kLogEnd, 1 << 20)).value();
  EXPECT_EQ(batches.batches[0].producer_id, 44);
  EXPECT_EQ(batches.batches[0].record_count, 0);
  EXPECT_EQ(batches.batches[0].last_sequence(), 2);
  EXPECT_EQ(values("k"), std::vector<std::string>{"3=newest"});
  for (const auto& name : files(".snapshot")) disk().erase(name);
  ASSERT_TRUE(reopen_killed());
  EXPECT_EQ(log->producers().at(0).last_sequence, 2) << "from the header alone";
}

TEST_F(CleanerTest, AbortedRecordsGoAndCommittedRecordsAreCompacted) {
  put("a", "plain");
  put_in_txn(1, "a", "aborted");
  put_in_txn(2, "b", "committed");
  put_in_txn(1, "c", "aborted");
  end_txn(1, ControlType::kAbort);
  end_txn(2, ControlType::kCommit);
  put_in_txn(1, "b", "newest");
  end_txn(1, ControlType::kCommit);
  fill_segment();
  const int64_t end = log->ends().end.value();
  EXPECT_GT(run(log->clean()).value(), 0U);
  for (bool again : {false, true}) {
    if (again) {
      for (const auto& name : files(".txnindex")) disk().erase(name);
      for (const auto& name : files(".snapshot")) disk().erase(name);
      ASSERT_TRUE(reopen_killed());
      commit();
    }
    EXPECT_EQ(values("a"), std::vector<std::string>{"0=plain"}) << "an aborted record supersedes nothing";
    EXPECT_EQ(values("b"), std::vector<std::string>{"6=newest"});
    EXPECT_TRUE(values("c").empty());
    EXPECT_EQ(log->ends().last_stable, Offset(end)) << "every transaction has its marker";
  }
}

TEST_F(CleanerTest, MarkerOfARemovedTransactionStaysForDeleteRetention) {
  put_in_txn(1, "a", "aborted");
  end_txn(1, ControlType::kAbort);
  put_in_txn(1, "a", "committed");
  end_txn(1, ControlType::kCommit);
  put_in_txn(1, "b", "last of the producer");
  end_txn(1, ControlType::kCommit);
  put("a", "newest");
  fill_segment();
  ASSERT_TRUE(run(log->clean()));
  auto left = bases(0);
  left.resize(4);
  EXPECT_EQ(left, (std::vector<int64_t>{1, 3, 4, 5})) << "the data has gone, the markers stay";
  EXPECT_TRUE(run(log->aborted_in(Offset(0), Offset(6))).value().empty()) << "nothing of it is there";
  host->pass_wall_ms(1001);
  fill_segment();
  ASSERT_TRUE(run(log->clean()));
  EXPECT_EQ(bases(0).front(), 4);
  EXPECT_EQ(bases(0)[1], 5) << "the marker of a transaction with data stays";
  EXPECT_EQ(values("b"), std::vector<std::string>{"4=last of the producer"});
}

TEST_F(CleanerTest, EmptiedBatchOfAnAbortedTransactionKeepsItsMarker) {
  put_in_txn(7, "a", "aborted");
  end_txn(7, ControlType::kAbort);
  fill_segment();
  ASSERT_TRUE(run(log->clean()));
  host->pass_wall_ms(1001);
  fill_segment();
  ASSERT_TRUE(run(log->clean()));
  EXPECT_TRUE(values("a").empty());
  EXPECT_EQ(bases(0)[0], 0) << "it has the last sequence of the producer";
  EXPECT_EQ(bases(0)[1], 1) << "without the marker the transaction would be open again";
  EXPECT_EQ(run(log->aborted_in(Offset(0), Offset(2))).value().size(), 1U);
  for (const auto& name : files(".snapshot")) disk().erase(name);
  ASSERT_TRUE(reopen_killed());
  commit();
  EXPECT_EQ(log->ends().last_stable, log->ends().end);
}

TEST_F(CleanerTest, KeysThatDoNotFitIntoItsMemoryAreCleanedInSeveralPasses) {
  options.cleaner_dedupe_bytes = 16 * 24;  // of which three quarters are used
  set_options();
  BatchBuilder wide;  // one batch has more keys than fit
  for (int i = 0; i < 40; ++i) wide.add(host->wall_ms(), "key" + std::to_string(i), "old");
  ASSERT_TRUE(append(wide));
  for (int i = 0; i < 40; ++i) put("key" + std::to_string(i), "new");
  fill_segment();
  int passes = 0;
  for (; passes < 50 && values("key39").size() > 1; ++passes) ASSERT_TRUE(run(log->clean()));
  EXPECT_GT(passes, 2);
  EXPECT_LT(passes, 50);
  for (int i = 0; i < 40; ++i)
    EXPECT_EQ(values("key" + std::to_string(i)), std::vector<std::string>{std::to_string(40 + i) + "=new"});
}

TEST_F(CleanerTest, TombstoneIsNotRemovedBeforeTheRecordsThatItDeletes) {
  options.cleaner_dedupe_bytes = 16 * 24;
  set_options();
  put("gone", "old");
  for (int i = 0; i < 15; ++i) put("key" + std::to_string(i), "x");
  put("gone", std::nullopt);
  fill_segment();
  for (int passes = 0; passes < 10; ++passes) {
    ASSERT_TRUE(run(log->clean()));
    host->pass_wall_ms(2000);
    const auto left = values("gone");
    ASSERT_TRUE(left.empty() || left.back() == "16=<null>") << "the deleted record is there again";
    fill_segment();
  }
  EXPECT_TRUE(values("gone").empty());
}

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

TEST_F(CleanerTest, NothingIsCleanedAboveTheHighWatermarkOrOnAMirror) {
  put("a", "1");
  put("a", "2");
  for (int i = 0; i < 20; ++i) put("b" + std::to_string(i), std::string(100, 'x'));
  EXPECT_EQ(run(log->clean()).value(), 0U);
  commit();
  options.follows_source = true;
  set_options();
  EXPECT_EQ(run(log->clean()).value(), 0U);
  options.follows_source = false;
  set_options();
  EXPECT_GT(run(log->clean()).value(), 0U);
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
      EXPECT_EQ(files(".cleaned").size() + files("intent").size(), 0U) << step;
      kill();
    }
  }
  EXPECT_GT(changed, 2);
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

TEST_F(CleanerTest, DeletedRecordGoesAlsoIfItsSegmentKeepsItsSize) {
  options.segment_bytes = 150;
  set_options();
  BatchBuilder batch;
  batch.add(host->wall_ms(), "k", "v");       // 9 bytes
  for (char key = 'a'; key < 'a' + 9; ++key)  // each is one byte longer with a delete horizon
    batch.add(host->wall_ms(), std::string(1, key), std::nullopt);
  ASSERT_TRUE(append(batch));
  put("k", std::nullopt);
  put("z", std::string(100, 'z'));
  put("z", std::string(100, 'z'));
  commit();
  const size_t size = disk().contents(path_of(Offset(0), ".log"))->size();
  ASSERT_TRUE(run(log->clean()));
  EXPECT_EQ(values("k"), std::vector<std::string>{"10=<null>"});
  EXPECT_EQ(disk().contents(path_of(Offset(0), ".log"))->size(), size) << "else the test means something else";
}

}  // namespace
}  // namespace farshore::log_test
