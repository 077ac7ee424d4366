#include "replicator/run_check.h"

#include <gtest/gtest.h>

#include "proto/batch/builder.h"

namespace farshore::replicator {
namespace {

using Verdict = RunCheck::Verdict;

class RunCheckTest : public testing::Test {
 protected:
  void add(int64_t base, int records, int32_t epoch = 3) {
    BatchBuilder builder;
    builder.base_offset(base).leader_epoch(epoch);
    for (int i = 0; i < records; ++i) builder.add(1000, std::string_view("k"), std::string_view("v"));
    run_.append(builder.build_run(arena_));
  }
  RunCheck check(int64_t end, int32_t epoch = 3, int64_t log_start = 0) {
    return check_run(run_, SourceOffset(end), LogEpoch(epoch), SourceOffset(log_start), true);
  }
  SlabArena arena_;
  BatchRun run_;
};

TEST_F(RunCheckTest, EmptyRunChangesNothing) {
  const RunCheck found = check(7);
  EXPECT_EQ(found.verdict, Verdict::kFollows);
  EXPECT_EQ(found.good, 0u);
  EXPECT_EQ(found.end, SourceOffset(7));
  EXPECT_EQ(found.bad.code, ErrorCode::kNone);
}

TEST_F(RunCheckTest, BatchesInOrderAreGoodWithGapsBetweenThem) {
  add(10, 5);
  add(20, 2, 4);
  const RunCheck found = check(10);
  EXPECT_EQ(found.good, 2u);
  EXPECT_EQ(found.good_bytes, run_.bytes.size());
  EXPECT_EQ(found.end, SourceOffset(22));
  EXPECT_EQ(found.epoch, LogEpoch(4));
}

TEST_F(RunCheckTest, PositionInsideABatchIsADivergence) {
  add(10, 5);
  EXPECT_EQ(check(12).verdict, Verdict::kDiverged);
}

TEST_F(RunCheckTest, GapBelowTheLogStartIsARetentionGap) {
  add(10, 5);
  EXPECT_EQ(check(5, 3, 10).verdict, Verdict::kRetentionGap);
  EXPECT_EQ(check(5, 3, 5).verdict, Verdict::kFollows);  // compaction: the source still has the position
}

TEST_F(RunCheckTest, BatchesBeforeABadOneAreGood) {
  add(10, 5);
  add(12, 2);
  RunCheck found = check(10);
  EXPECT_EQ(found.good, 1u);
  EXPECT_EQ(found.bad.code, ErrorCode::kCorrupt);
  EXPECT_EQ(found.end, SourceOffset(15));
  run_ = {};
  add(10, 5, 4);
  add(15, 2, 3);  // an older epoch
  found = check(10);
  EXPECT_EQ(found.good, 1u);
  EXPECT_EQ(found.bad.code, ErrorCode::kCorrupt);
}

TEST_F(RunCheckTest, BatchOfAWrongChecksumIsBad) {
  add(10, 5);
  run_.batches.front().crc ^= 1;
  EXPECT_EQ(check(10).bad.code, ErrorCode::kCorrupt);
  EXPECT_EQ(check(10).good, 0u);
  EXPECT_EQ(check_run(run_, SourceOffset(10), LogEpoch(3), SourceOffset(0), /*verify_crc=*/false).good, 1u);
}

}  // namespace
}  // namespace farshore::replicator
