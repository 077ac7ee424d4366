#include "broker/log/internal/appender.h"

#include "broker/log/internal/gap_file.h"
#include "broker/log/testing/log_fixture.h"

namespace farshore::log_test {
namespace {

struct AppenderTest : LogTest {};

TEST_F(AppenderTest, ClientBatchesGetTheNextOffsetsAndTheGivenEpoch) {
  auto info = append(batch_of(3), 5).value();
  EXPECT_EQ(info.first, Offset(0));
  EXPECT_EQ(info.last, Offset(2));
  EXPECT_EQ(append(batch_of(2), 5)->first, Offset(3));
  EXPECT_EQ(log->ends().end, Offset(5));
  EXPECT_EQ(log->last_epoch(), LogEpoch(5));
  auto batches = run(log->read_run(Offset(1), ReadBound::kLogEnd, 1 << 20)).value();
  ASSERT_EQ(batches.batches.size(), 2U);
  EXPECT_TRUE(verify_crc(batches));
  EXPECT_EQ(batches.batches[1].first(), Offset(3));
  EXPECT_EQ(batches.batches[1].epoch(), LogEpoch(5));
}

TEST_F(AppenderTest, MirroredBatchesKeepTheirOffsetsAndEpochs) {
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

TEST_F(AppenderTest, BatchWithAWrongCrcIsRefusedAndNotStored) {
  auto bytes = batch_of(2).build();
  bytes.back() ^= std::byte{1};
  EXPECT_EQ(run(log->append(run_of(arena, bytes), AppendOrigin::kClient, LogEpoch(0))).error(), ErrorCode::kCorrupt);
  EXPECT_EQ(log->ends().end, Offset(0));
  EXPECT_EQ(log->size_bytes(), 0U);
}

TEST_F(AppenderTest, LogAppendTimeIsStampedAndTheCrcStaysValid) {
  options.log_append_time = true;
  set_options();
  auto info = append(batch_of(2, 12345)).value();
  EXPECT_EQ(info.log_append_time_ms, host->wall_ms());
  auto batches = run(log->read_run(Offset(0), ReadBound::kLogEnd, 1000)).value();
  EXPECT_TRUE(verify_crc(batches));
  EXPECT_TRUE(batches.batches[0].log_append_time());
  EXPECT_EQ(batches.batches[0].max_timestamp, host->wall_ms());
}

TEST_F(AppenderTest, AppendWithAnOldEpochIsRefused) {
  fill(1, 1, 4);
  EXPECT_EQ(append(batch_of(1), 3).error(), ErrorCode::kConflict);
  ASSERT_TRUE(run(log->begin_epoch(LogEpoch(9))));
  EXPECT_EQ(append(batch_of(1), 4).error(), ErrorCode::kConflict);
  EXPECT_TRUE(append(batch_of(1), 9));
}

TEST_F(AppenderTest, EpochBegunWithoutABatchEndsTheEpochBefore) {
  fill(2, 1, 4);
  ASSERT_TRUE(run(log->begin_epoch(LogEpoch(65536))));
  EXPECT_EQ(log->epoch_end(LogEpoch(4)).end, Offset(2));
  EXPECT_EQ(log->last_epoch(), LogEpoch(65536));
  EXPECT_EQ(log->epoch_at(Offset(1)), LogEpoch(4));
  ASSERT_TRUE(reopen_killed());
  EXPECT_EQ(log->last_epoch(), LogEpoch(65536)) << "durable";
  EXPECT_EQ(log->epoch_end(LogEpoch(4)).end, Offset(2));
}

TEST_F(AppenderTest, RetriedBatchReturnsItsFirstOffsets) {
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

TEST_F(AppenderTest, AppendToAFullDiskLeavesTheLogUnchanged) {
  fill(2);
  auto batch = batch_of(5);
  const uint64_t size = batch.build().size();
  const uint64_t used = disk().used_bytes();
  for (uint64_t room = 0; room < size; ++room) {
    disk().set_capacity(used + room);
    EXPECT_EQ(append(batch).error(), ErrorCode::kNoSpace) << room;
    EXPECT_EQ(disk().used_bytes(), used);
    EXPECT_EQ(log->ends().end, Offset(4));
  }
  disk().heal();
  EXPECT_EQ(append(batch)->first, Offset(4));
  EXPECT_EQ(bases(0), (std::vector<int64_t>{0, 2, 4}));
}

// One run of batches, each of one record and with a gap before it.
std::vector<std::byte> batches_with_gaps(int64_t from, int count) {
  std::vector<std::byte> bytes;
  for (int i = 0; i < count; ++i) {
    BatchBuilder builder;
    auto batch = builder.base_offset(from + 10 * i + 5).add(1, "k", "v").build();
    bytes.insert(bytes.end(), batch.begin(), batch.end());
  }
  return bytes;
}

TEST_F(AppenderTest, NotesOfGapsStayFewHoweverManyGapsThereAre) {
  const std::string notes = path_of(log_format::kJumps);
  constexpr int kRuns = 60, kBatches = 1000;
  for (int i = 0; i < kRuns; ++i) {
    auto bytes = batches_with_gaps(int64_t{10} * kBatches * i, kBatches);
    auto appended = run(log->append(run_of(arena, bytes), AppendOrigin::kMirror, LogEpoch(0)));
    ASSERT_TRUE(appended) << appended.error().to_string();
    ASSERT_LE(disk().contents(notes)->size(), GapFile::kBytesMax + kBatches * log_format::kJumpBytes);
  }
  EXPECT_GT(log->ends().flushed_end, Offset(0));
  const Offset end = log->ends().end;
  ASSERT_TRUE(reopen_killed());
  EXPECT_EQ(log->ends().end, end);
}

}  // namespace
}  // namespace farshore::log_test
