#include "broker/log/log.h"

#include <gtest/gtest.h>

#include "broker/log/log_fixture.h"
#include "proto/batch/records.h"

namespace farshore::log_test {
namespace {

TEST_F(LogTest, AssignsOffsetsAndEpochsAndReadsThemBack) {
  auto info = append(batch_of(3), 5).value();
  EXPECT_EQ(info.first, Offset(0));
  EXPECT_EQ(info.last, Offset(2));
  EXPECT_EQ(append(batch_of(2), 5)->first, Offset(3));
  EXPECT_EQ(log->ends().end, Offset(5));
  EXPECT_EQ(log->last_epoch(), LogEpoch(5));
  auto batches = run(*env, log->read_run(Offset(1), ReadBound::kLogEnd, 1 << 20)).value();
  ASSERT_EQ(batches.batches.size(), 2U);
  EXPECT_TRUE(verify_crc(batches));
  EXPECT_EQ(batches.batches[1].first(), Offset(3));
  EXPECT_EQ(batches.batches[1].epoch(), LogEpoch(5));
}

TEST_F(LogTest, ReadsStopAtTheHighWatermarkAndRefuseWhatIsOutside) {
  fill(4);
  EXPECT_TRUE(bases(0, 1 << 20, ReadBound::kHighWatermark).empty());
  log->set_high_watermark(Offset(4));
  EXPECT_EQ(bases(0, 1 << 20, ReadBound::kHighWatermark), (std::vector<int64_t>{0, 2}));
  log->set_high_watermark(Offset(3));
  EXPECT_EQ(log->ends().high_watermark, Offset(4)) << "never down";
  EXPECT_TRUE(run(*env, log->read_run(Offset(6), ReadBound::kHighWatermark, 100))->empty());
  EXPECT_EQ(run(*env, log->read(Offset(9), ReadBound::kLogEnd, 100)).error(), ErrorCode::kOutOfRange);
  log->set_high_watermark(Offset(100));
  EXPECT_EQ(log->ends().high_watermark, Offset(8)) << "clamped to the end";
}

TEST_F(LogTest, ReadsFromEveryOffsetInSlicesOfAnySize) {
  options.segment_bytes = 2000;
  options.index_interval_bytes = 300;
  log->set_options(options);
  fill(100, 3);
  EXPECT_GT(files(".log").size(), 3U);
  std::vector<int64_t> all;
  for (int i = 0; i < 100; ++i) all.push_back(i * 3);
  for (size_t bytes : {1UL, 100UL, 500UL, 1000UL, 100000UL}) EXPECT_EQ(bases(0, bytes), all) << bytes;
  for (int64_t from = 0; from < 300; ++from) {
    auto slice = run(*env, log->read(Offset(from), ReadBound::kLogEnd, 1)).value();
    ASSERT_EQ(slice.ranges.size(), 1U);
    EXPECT_EQ(slice.first, Offset(from / 3 * 3)) << from;
  }
  ASSERT_TRUE(reopen_clean());
  EXPECT_TRUE(log->recovery().clean);
  EXPECT_EQ(bases(0, 700), all);
  ASSERT_TRUE(append(batch_of(1)));
  EXPECT_EQ(log->ends().end, Offset(301));
}

TEST_F(LogTest, AKilledProcessLosesNothingThatReachedThePageCache) {
  options.segment_bytes = 4000;
  log->set_options(options);
  fill(60, 3, 2);
  ASSERT_TRUE(reopen_killed());
  EXPECT_FALSE(log->recovery().clean);
  EXPECT_EQ(log->ends().end, Offset(180));
  EXPECT_EQ(log->ends().flushed_end, Offset(180));
  EXPECT_EQ(log->last_epoch(), LogEpoch(2));
  EXPECT_EQ(bases(0).size(), 60U);
}

Task<void> count_successes(Task<Status> task, int& successes) {
  auto status = co_await std::move(task);
  successes += status.has_value();
}

template <class T>
Task<void> count_ends(Task<T> task, int& ended) {
  (void)co_await std::move(task);
  ++ended;
}

Task<void> close_after_four_ends(Log& log, const int& ended, bool& closed) {
  auto status = co_await log.close();
  EXPECT_TRUE(status);
  EXPECT_EQ(ended, 4);
  closed = true;
}

TEST_F(LogTest, FlushMovesTheFlushedEndAndIsShared) {
  fill(3);
  EXPECT_EQ(log->ends().flushed_end, Offset(0));
  ASSERT_TRUE(run(*env, log->flush()));
  EXPECT_EQ(log->ends().flushed_end, Offset(6));
  fill(1);
  uint64_t before = env->syncs;
  int done = 0;
  for (int i = 0; i < 5; ++i) start(*env, count_successes(log->flush(), done));
  env->run();
  EXPECT_EQ(done, 5);
  EXPECT_EQ(env->syncs - before, 1U);
}

TEST_F(LogTest, CloseWaitsForWhatIsUnderWay) {
  options.cleanup_policy = CleanupPolicy::kCompact;
  options.segment_bytes = 500;
  options.min_cleanable_ratio = 0.01;
  log->set_options(options);
  fill(20);
  commit();
  int ended = 0;
  bool closed = false;
  start(*env, count_ends(log->clean(), ended));
  start(*env, count_ends(log->append(batch_of(1).build_run(arena), AppendOrigin::kClient, LogEpoch(0)), ended));
  start(*env, count_ends(log->read(Offset(0), ReadBound::kLogEnd, 1), ended));
  start(*env, count_ends(log->flush(), ended));
  start(*env, close_after_four_ends(*log, ended, closed));
  env->run();
  EXPECT_TRUE(closed);
  log.reset();
  EXPECT_TRUE(open());
}

TEST_F(LogTest, AFailedSyncEndsTheLog) {
  fill(1);
  env->fail_sync_at = env->syncs + 1;
  EXPECT_EQ(run(*env, log->flush()).error(), ErrorCode::kIo);
  EXPECT_EQ(append(batch_of(1)).error(), ErrorCode::kIo);
  EXPECT_EQ(run(*env, log->flush()).error(), ErrorCode::kIo);
  EXPECT_EQ(run(*env, log->close()).error(), ErrorCode::kIo);
  EXPECT_EQ(log->ends().flushed_end, Offset(0));
}

TEST_F(LogTest, MirroredBatchesKeepOffsetsEpochsAndGaps) {
  BatchBuilder first = batch_of(2);
  first.base_offset(0);
  BatchBuilder later;
  later.base_offset(10).leader_epoch(7).add(1, "k", "v");
  BatchBuilder zero = BatchBuilder();
  zero.base_offset(0).leader_epoch(3).add(1, "k", "v");
  ASSERT_TRUE(append(zero, 0, AppendOrigin::kMirror));
  auto info = append(later, 0, AppendOrigin::kMirror).value();
  EXPECT_EQ(info.first, Offset(10));
  EXPECT_EQ(log->ends().end, Offset(11));
  EXPECT_EQ(log->epoch_end(LogEpoch(3)).end, Offset(10));
  EXPECT_EQ(bases(5), std::vector<int64_t>{10}) << "the next batch after a gap";
  BatchBuilder behind;
  behind.base_offset(10).leader_epoch(7).add(1, "k", "v");
  EXPECT_EQ(append(behind, 0, AppendOrigin::kMirror).error(), ErrorCode::kConflict);
  BatchBuilder older;
  older.base_offset(20).leader_epoch(6).add(1, "k", "v");
  EXPECT_EQ(append(older, 0, AppendOrigin::kMirror).error(), ErrorCode::kConflict);
}

TEST_F(LogTest, ACorruptBatchIsRefusedAndLeavesNothing) {
  auto bytes = batch_of(2).build();
  bytes.back() ^= std::byte{1};
  EXPECT_EQ(run(*env, log->append(run_of(arena, bytes), AppendOrigin::kClient, LogEpoch(0))).error(),
            ErrorCode::kCorrupt);
  EXPECT_EQ(log->ends().end, Offset(0));
  EXPECT_EQ(log->size_bytes(), 0U);
}

TEST_F(LogTest, RefusesWhatTheTopicsSettingsForbid) {
  options.max_message_bytes = 200;
  log->set_options(options);
  EXPECT_EQ(append(batch_of(50))->outcome, AppendOutcome::kMessageTooLarge);
  EXPECT_EQ(append(batch_of(1, env->wall_ms + 2 * 3600 * 1000))->outcome, AppendOutcome::kInvalidTimestamp);
  EXPECT_TRUE(append(batch_of(1, env->wall_ms + 1000)));
  options.timestamp_before_max_ms = 1000;
  log->set_options(options);
  EXPECT_EQ(append(batch_of(1, env->wall_ms - 2000))->outcome, AppendOutcome::kInvalidTimestamp);
  BatchBuilder stamped = batch_of(1);
  stamped.log_append_time(5);
  EXPECT_EQ(append(stamped)->outcome, AppendOutcome::kInvalidTimestamp);
  BatchBuilder marker;
  marker.producer(1, 0, -1).add_marker(ControlType::kAbort, 0, 1);
  EXPECT_EQ(append(marker)->outcome, AppendOutcome::kInvalidRecord);
  BatchBuilder gap;
  gap.add(env->wall_ms, "a", "b").add_at(5, env->wall_ms, "c", "d");
  EXPECT_EQ(append(gap)->outcome, AppendOutcome::kInvalidRecord);
  options.cleanup_policy = CleanupPolicy::kCompact;
  log->set_options(options);
  BatchBuilder keyless;
  keyless.compression(Compression::kZstd).add(env->wall_ms, "a", "b").add(env->wall_ms, std::nullopt, "b");
  auto refused = append(keyless).value();
  EXPECT_EQ(refused.outcome, AppendOutcome::kInvalidRecord);
  EXPECT_NE(refused.refusal.find("key"), std::string::npos);
  EXPECT_EQ(log->ends().end, Offset(1));
}

TEST_F(LogTest, SetsLogAppendTimeAndKeepsTheCrcValid) {
  options.log_append_time = true;
  log->set_options(options);
  auto info = append(batch_of(2, 12345)).value();
  EXPECT_EQ(info.log_append_time_ms, env->wall_ms);
  auto batches = run(*env, log->read_run(Offset(0), ReadBound::kLogEnd, 1000)).value();
  EXPECT_TRUE(verify_crc(batches));
  EXPECT_TRUE(batches.batches[0].log_append_time());
  EXPECT_EQ(batches.batches[0].max_timestamp, env->wall_ms);
}

TEST_F(LogTest, AStaleEpochCannotAppend) {
  fill(1, 1, 4);
  EXPECT_EQ(append(batch_of(1), 3).error(), ErrorCode::kConflict);
  ASSERT_TRUE(run(*env, log->begin_epoch(LogEpoch(9))));
  EXPECT_EQ(append(batch_of(1), 4).error(), ErrorCode::kConflict);
  EXPECT_TRUE(append(batch_of(1), 9));
}

TEST_F(LogTest, AnEpochBegunWithoutAWriteAnswersForTheOneBefore) {
  fill(2, 1, 4);
  ASSERT_TRUE(run(*env, log->begin_epoch(LogEpoch(65536))));
  EXPECT_EQ(log->epoch_end(LogEpoch(4)).end, Offset(2));
  EXPECT_EQ(log->last_epoch(), LogEpoch(65536));
  EXPECT_EQ(log->epoch_at(Offset(1)), LogEpoch(4));
  ASSERT_TRUE(reopen_killed());
  EXPECT_EQ(log->last_epoch(), LogEpoch(65536)) << "durable";
  EXPECT_EQ(log->epoch_end(LogEpoch(4)).end, Offset(2));
}

TEST_F(LogTest, RetriesOfAnIdempotentProducerReturnTheFirstOffsets) {
  for (int i = 0; i < 6; ++i) {
    BatchBuilder batch = batch_of(2);
    batch.producer(9, 0, i * 2);
    EXPECT_EQ(append(batch)->outcome, AppendOutcome::kAppended);
  }
  for (int i = 0; i < 6; ++i) {
    BatchBuilder retry = batch_of(2);
    retry.producer(9, 0, i * 2);
    auto info = append(retry).value();
    if (i == 0) {
      EXPECT_EQ(info.outcome, AppendOutcome::kOutOfOrderSequence) << "five are remembered, not six";
      continue;
    }
    EXPECT_EQ(info.outcome, AppendOutcome::kDuplicate) << i;
    EXPECT_EQ(info.first, Offset(i * 2));
    EXPECT_EQ(info.last, Offset(i * 2 + 1));
  }
  EXPECT_EQ(log->ends().end, Offset(12));
  for (bool clean : {true, false}) {
    ASSERT_TRUE(clean ? reopen_clean() : reopen_killed());
    BatchBuilder retry = batch_of(2);
    retry.producer(9, 0, 10);
    EXPECT_EQ(append(retry)->outcome, AppendOutcome::kDuplicate) << clean;
    BatchBuilder gap = batch_of(2);
    gap.producer(9, 0, 14);
    EXPECT_EQ(append(gap)->outcome, AppendOutcome::kOutOfOrderSequence) << clean;
  }
}

TEST_F(LogTest, OpenTransactionsHoldTheLastStableOffset) {
  fill(1, 2);
  BatchBuilder data = batch_of(2);
  data.producer(5, 0, 0).transactional();
  ASSERT_TRUE(append(data));
  fill(1, 2);
  commit();
  EXPECT_EQ(log->ends().last_stable, Offset(2));
  EXPECT_EQ(bases(0, 1000, ReadBound::kLastStable), std::vector<int64_t>{0});
  BatchBuilder abort;
  abort.producer(5, 0, -1).add_marker(ControlType::kAbort, 3, env->wall_ms);
  ASSERT_TRUE(append(abort, 0, AppendOrigin::kCoordinator));
  EXPECT_EQ(log->ends().last_stable, Offset(2)) << "the marker is not committed yet";
  commit();
  EXPECT_EQ(log->ends().last_stable, Offset(7));
  for (int round = 0; round < 3; ++round) {
    auto aborted = run(*env, log->aborted_in(Offset(0), Offset(100))).value();
    ASSERT_EQ(aborted.size(), 1U) << round;
    EXPECT_EQ(aborted[0].producer_id, 5);
    EXPECT_EQ(aborted[0].first, Offset(2));
    EXPECT_EQ(aborted[0].last, Offset(6));
    EXPECT_TRUE(run(*env, log->aborted_in(Offset(7), Offset(100)))->empty());
    ASSERT_TRUE(round == 0 ? reopen_clean() : reopen_killed());
  }
  BatchBuilder stale;
  stale.producer(5, 0, -1).add_marker(ControlType::kCommit, 2, env->wall_ms);
  EXPECT_EQ(append(stale, 0, AppendOrigin::kCoordinator)->outcome, AppendOutcome::kCoordinatorFenced);
}

TEST_F(LogTest, FindsRecordsByTime) {
  options.segment_bytes = 1500;
  options.index_interval_bytes = 200;
  log->set_options(options);
  const int64_t t0 = env->wall_ms - 1000000;
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(append(batch_of(2, t0 + i * 100)));
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 50; ++i) {
      auto exact = run(*env, log->offset_for_time(t0 + i * 100)).value();
      ASSERT_TRUE(exact) << i;
      EXPECT_EQ(exact->offset, Offset(i * 2));
      auto second = run(*env, log->offset_for_time(t0 + i * 100 + 1)).value();
      EXPECT_EQ(second->offset, Offset(i * 2 + 1));
      EXPECT_EQ(second->timestamp_ms, t0 + i * 100 + 1);
    }
    EXPECT_FALSE(run(*env, log->offset_for_time(t0 + 5000)).value());
    EXPECT_EQ(run(*env, log->offset_of_max_time()).value()->offset, Offset(99));
    ASSERT_TRUE(round == 0 ? reopen_clean() : reopen_killed());
  }
}

TEST_F(LogTest, AFullDiskLeavesNothingHalfAppended) {
  fill(2);
  auto batch = batch_of(5);
  const uint64_t size = batch.build().size();
  const uint64_t used = disk.used();
  for (uint64_t room = 0; room < size; ++room) {
    disk.space = used + room;
    EXPECT_EQ(append(batch).error(), ErrorCode::kNoSpace) << room;
    EXPECT_EQ(disk.used(), used);
    EXPECT_EQ(log->ends().end, Offset(4));
  }
  disk.space = UINT64_MAX;
  EXPECT_EQ(append(batch)->first, Offset(4));
  EXPECT_EQ(bases(0), (std::vector<int64_t>{0, 2, 4}));
}

TEST_F(LogTest, AFullDiskDuringARollLosesNothing) {
  options.segment_bytes = 300;
  log->set_options(options);
  fill(1);
  int64_t end = 2;
  const uint64_t used = disk.used();
  for (uint64_t room = 0; room < 2000; room += 7) {
    disk.space = used + room;
    auto appended = append(batch_of(2));
    if (appended) end = appended->last.value() + 1;
    ASSERT_EQ(log->ends().end, Offset(end)) << room;
  }
  EXPECT_GT(end, 2);
  disk.space = UINT64_MAX;
  ASSERT_TRUE(append(batch_of(2)));
  EXPECT_EQ(bases(0).size(), static_cast<size_t>(end / 2 + 1));
  ASSERT_TRUE(reopen_killed());
  EXPECT_EQ(log->ends().end, Offset(end + 2));
}

}  // namespace
}  // namespace farshore::log_test
