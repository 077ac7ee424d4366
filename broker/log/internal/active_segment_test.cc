#include "broker/log/internal/active_segment.h"

#include "broker/log/testing/log_fixture.h"

namespace farshore::log_test {
namespace {

struct ActiveSegmentTest : LogTest {};

TEST_F(ActiveSegmentTest, RollOnAFullDiskLosesNoBatch) {
  options.segment_bytes = 300;
  set_options();
  fill(1);
  int64_t end = 2;
  const uint64_t used = disk().used_bytes();
  for (uint64_t room = 0; room < 2000; room += 7) {
    disk().set_capacity(used + room);
    auto appended = append(batch_of(2));
    if (appended) end = appended->last.value() + 1;
    ASSERT_EQ(log->ends().end, Offset(end)) << room;
  }
  EXPECT_GT(end, 2);
  disk().heal();
  ASSERT_TRUE(append(batch_of(2)));
  EXPECT_EQ(bases(0).size(), static_cast<size_t>(end / 2 + 1));
  ASSERT_TRUE(reopen_killed());
  EXPECT_EQ(log->ends().end, Offset(end + 2));
}

TEST_F(ActiveSegmentTest, GapThatNoSegmentCanHoldBeginsASegment) {
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

TEST_F(ActiveSegmentTest, SegmentRollsByTheTimestampsOfItsRecords) {
  options.segment_ms = 1000;
  set_options();
  ASSERT_TRUE(append(batch_of(1, 5000)));
  ASSERT_TRUE(append(batch_of(1, 5900)));
  EXPECT_EQ(files(".log").size(), 1U);
  ASSERT_TRUE(append(batch_of(1, 6100)));
  EXPECT_EQ(files(".log").size(), 2U);
}

TEST_F(ActiveSegmentTest, RollWithoutItsDirectoryTakesTheLogOfflineAsAStorageError) {
  options.segment_bytes = 300;
  set_options();
  fill(1);
  ASSERT_TRUE(run(host->env().files().remove_all(kDir)));
  Result<AppendInfo> appended = append(batch_of(2));
  for (int i = 0; i < 5 && appended; ++i) appended = append(batch_of(2));
  EXPECT_EQ(appended.error(), ErrorCode::kIo) << "not found would be an answer about the topic";
  EXPECT_EQ(append(batch_of(1)).error(), ErrorCode::kIo);
  EXPECT_EQ(run(log->flush()).error(), ErrorCode::kIo) << "the log is dead";
}

TEST_F(ActiveSegmentTest, EpochWithoutItsDirectoryTakesTheLogOfflineAsAStorageError) {
  fill(1);
  ASSERT_TRUE(run(host->env().files().remove_all(kDir)));
  EXPECT_EQ(run(log->begin_epoch(LogEpoch(7))).error(), ErrorCode::kIo);
  EXPECT_EQ(append(batch_of(1)).error(), ErrorCode::kIo);
}

}  // namespace
}  // namespace farshore::log_test
