// Which records the cleaner keeps, and which it removes.
#include "broker/log/internal/cleaner.h"

#include "broker/log/testing/cleaner_fixture.h"

namespace farshore::log_test {
namespace {

TEST_F(CleanerTest, LatestValueOfEachKeyStaysAtItsOffset) {
  for (int i = 0; i < 20; ++i) put("a", "a" + std::to_string(i));
  put("b", "b");
  fill_segment();
  const int64_t end = log->ends().end.value();
  size_t logs = files(".log").size();
  EXPECT_EQ(log->compacted_to(), Offset(0));
  EXPECT_GT(run(log->clean()).value(), 0U);
  EXPECT_GE(log->compacted_to(), Offset(20));
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
