#include "broker/log/internal/log_reader.h"

#include "broker/log/testing/log_fixture.h"

namespace farshore::log_test {
namespace {

struct LogReaderTest : LogTest {};

TEST_F(LogReaderTest, ReadsEndAtTheHighWatermarkAndFailOutsideTheLog) {
  fill(4);
  EXPECT_TRUE(bases(0, 1 << 20, ReadBound::kHighWatermark).empty());
  log->set_high_watermark(Offset(4));
  EXPECT_EQ(bases(0, 1 << 20, ReadBound::kHighWatermark), (std::vector<int64_t>{0, 2}));
  log->set_high_watermark(Offset(3));
  EXPECT_EQ(log->ends().high_watermark, Offset(4)) << "never down";
  EXPECT_TRUE(run(log->read_run(Offset(6), ReadBound::kHighWatermark, 100))->empty());
  EXPECT_EQ(run(log->read(Offset(9), ReadBound::kLogEnd, 100)).error(), ErrorCode::kOutOfRange);
  log->set_high_watermark(Offset(100));
  EXPECT_EQ(log->ends().high_watermark, Offset(8)) << "clamped to the end";
}

TEST_F(LogReaderTest, ReadsFromEveryOffsetReturnSlicesOfAnySize) {
  options.segment_bytes = 2000;
  options.index_interval_bytes = 300;
  set_options();
  fill(100, 3);
  EXPECT_GT(files(".log").size(), 3U);
  std::vector<int64_t> all;
  for (int i = 0; i < 100; ++i) all.push_back(i * 3);
  for (size_t bytes : {1UL, 100UL, 500UL, 1000UL, 100000UL}) EXPECT_EQ(bases(0, bytes), all) << bytes;
  for (int64_t from = 0; from < 300; ++from) {
    auto slice = run(log->read(Offset(from), ReadBound::kLogEnd, 1)).value();
    ASSERT_EQ(slice.ranges.size(), 1U);
    EXPECT_EQ(slice.first, Offset(from / 3 * 3)) << from;
  }
  ASSERT_TRUE(reopen_clean());
  EXPECT_TRUE(log->recovery().clean);
  EXPECT_EQ(bases(0, 700), all);
  ASSERT_TRUE(append(batch_of(1)));
  EXPECT_EQ(log->ends().end, Offset(301));
}

TEST_F(LogReaderTest, SliceStaysReadableAfterItsSegmentIsDeleted) {
  options.segment_bytes = 300;
  set_options();
  fill(10);
  commit();
  auto slice = run(log->read(Offset(0), ReadBound::kHighWatermark, 1000)).value();
  ASSERT_TRUE(run(log->advance_log_start(Offset(20))));
  std::string bytes(slice.ranges[0].length, '\0');
  auto into = std::as_writable_bytes(std::span(bytes.data(), bytes.size()));
  EXPECT_EQ(run(slice.ranges[0].file->read_at(slice.ranges[0].position, into)).value(), bytes.size());
  EXPECT_TRUE(BatchHeader::parse(as_bytes(bytes)));
}

TEST_F(LogReaderTest, ReadsWithoutTheirFilesAreStorageErrors) {
  options.segment_bytes = 1000;
  set_options();
  fill(60);
  ASSERT_TRUE(reopen_clean());
  ASSERT_TRUE(run(host->env().files().remove_all(kDir)));
  EXPECT_EQ(run(log->read(Offset(1), ReadBound::kLogEnd, 100)).error(), ErrorCode::kIo);
  EXPECT_EQ(run(log->aborted_in(Offset(0), Offset(10))).error(), ErrorCode::kIo);
  EXPECT_EQ(run(log->offset_of_max_time()).error(), ErrorCode::kIo);
}

}  // namespace
}  // namespace farshore::log_test
