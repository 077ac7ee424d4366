#include "proto/link/loss_report.h"

#include <gtest/gtest.h>

#include "proto/link/testing/samples.h"

namespace farshore {
namespace {

SourceOffset at(int64_t offset) { return SourceOffset(offset); }

LossReport filled() {
  LossReport report;
  report.link = LinkId(samples::uuid(1));
  report.topic = TargetTopicId(samples::uuid(2));
  report.add(LossKind::kCut, 3, at(90), at(100), 1790000000123);
  report.add(LossKind::kNotMirrored, 0, at(5), at(7), 1790000000200);
  report.begun[4] = {LossKind::kCut, at(40), at(50)};
  return report;
}

constexpr std::string_view kStoredLossReport =
    R"({"begun":[["cut",4,40,50]],"link":"AQIDBAUGBwgJCgsMDQ4PEA","rows":[["cut",3,90,100,1,10,1790000000123)"
    R"(,1790000000123],["not-mirrored",0,5,7,1,2,1790000000200,1790000000200]],"topic":"AgMEBQYHCAkKCwwNDg8QEQ)"
    R"(","totals":{"cut":[1,10],"not-mirrored":[1,2]},"v":1})";

TEST(LossReportTest, StoredReportIsReadAsItWasWritten) {
  EXPECT_EQ(encode(filled()), kStoredLossReport);
  auto read = decode_loss_report(kStoredLossReport);
  ASSERT_TRUE(read) << read.error().to_string();
  EXPECT_EQ(*read, filled());
}

TEST(LossReportTest, DamagedAndNewerReportsAreRefused) {
  EXPECT_EQ(decode_loss_report("{").error(), ErrorCode::kCorrupt);
  EXPECT_EQ(decode_loss_report(R"({"v":2})").error(), ErrorCode::kUnsupported);
  std::string unknown(kStoredLossReport);
  unknown.replace(unknown.find("cut"), 3, "odd");
  EXPECT_EQ(decode_loss_report(unknown).error(), ErrorCode::kCorrupt);
}

TEST(LossReportTest, CutThatWasBegunIsMeasuredAtTheEndOfTheLog) {
  LossReport report = filled();
  EXPECT_FALSE(report.finish_at(9, at(0), 1));
  EXPECT_TRUE(report.finish_at(4, at(35), 1));  // the common point was lower than the source's
  ASSERT_EQ(report.rows.size(), 3U);
  EXPECT_EQ(report.rows[2].from, at(35));
  EXPECT_EQ(report.rows[2].to, at(50));
  EXPECT_TRUE(report.begun.empty());
}

TEST(LossReportTest, CutThatNeverHappenedIsNoLoss) {
  LossReport report = filled();
  EXPECT_TRUE(report.finish_at(4, at(50), 1));
  EXPECT_EQ(report.rows.size(), 2U);
}

TEST(LossReportTest, GapIsALossOnceTheTargetHasGoneOnBehindIt) {
  LossReport report;
  report.begun[0] = {LossKind::kNotMirrored, at(10), at(30)};
  EXPECT_TRUE(report.finish_at(0, at(10), 1));
  EXPECT_TRUE(report.rows.empty());
  report.begun[0] = {LossKind::kNotMirrored, at(10), at(30)};
  EXPECT_TRUE(report.finish_at(0, at(30), 1));
  ASSERT_EQ(report.rows.size(), 1U);
  EXPECT_EQ(report.rows[0].offsets, 20);
}

TEST(LossReportTest, RangeThatIsFoundAgainIsCountedOnceAndMayGrow) {
  LossReport report;
  for (int restarts = 0; restarts < 5; ++restarts) report.add(LossKind::kKept, 0, at(10), at(20), restarts);
  report.add(LossKind::kKept, 0, at(10), at(25), 9);
  ASSERT_EQ(report.rows.size(), 1U);
  EXPECT_EQ(report.totals[LossKind::kKept], (LossReport::Total{1, 15}));
  // What was cut can be mirrored again, and be cut again.
  report.add(LossKind::kCut, 0, at(10), at(20), 1);
  report.add(LossKind::kCut, 0, at(10), at(20), 2);
  EXPECT_EQ(report.totals[LossKind::kCut], (LossReport::Total{2, 20}));
}

TEST(LossReportTest, OldestRangesAreMergedAndTheirNumbersStay) {
  LossReport report;
  constexpr int64_t kRanges = 500;
  for (int64_t n = 0; n < kRanges; ++n)
    report.add(LossKind::kCut, static_cast<int32_t>(n % 3), at(n * 10), at(n * 10 + 4), 1000 + n);
  EXPECT_EQ(report.rows.size(), LossReport::kRowsMax);
  EXPECT_EQ(report.totals[LossKind::kCut], (LossReport::Total{kRanges, kRanges * 4}));
  int64_t ranges = 0, offsets = 0;
  for (const auto& row : report.rows) {
    ranges += row.ranges;
    offsets += row.offsets;
    EXPECT_GE(row.partition, 0) << "three partitions fit: each row tells its own";
    EXPECT_LT(row.from, row.to);
  }
  EXPECT_EQ(ranges, kRanges);
  EXPECT_EQ(offsets, kRanges * 4);
  EXPECT_EQ(report.rows.front().first_ms, 1000) << "the oldest is the merged one";
  EXPECT_EQ(report.rows.back().from, at((kRanges - 1) * 10)) << "the newest stands alone";
  EXPECT_EQ(report.rows.back().ranges, 1);
}

TEST(LossReportTest, RangesOfManyPartitionsAreMergedWithoutOffsets) {
  LossReport report;
  constexpr int32_t kPartitions = 1000;
  for (int32_t p = 0; p < kPartitions; ++p) report.add(LossKind::kNotMirrored, p, at(0), at(7), 1);
  EXPECT_EQ(report.rows.size(), LossReport::kRowsMax);
  EXPECT_EQ(report.rows.front().partition, -1);
  EXPECT_EQ(report.rows.front().from, at(-1));
  EXPECT_EQ(report.totals[LossKind::kNotMirrored], (LossReport::Total{kPartitions, kPartitions * 7}));
  EXPECT_LT(encode(report).size(), 10000U);
}

}  // namespace
}  // namespace farshore
