#include "proto/link/end_report.h"

#include <gtest/gtest.h>

#include "proto/link/keys.h"

namespace farshore {
namespace {

PromotionRecord ended() {
  PromotionRecord record;
  record.wall_ms = 1764000000000;
  for (int32_t p = 0; p < 2; ++p) {
    auto& end = record.partitions.emplace_back(mirror_end(p, Offset(100)));
    end.source_high_watermark = SourceOffset(140 + p);
    end.lost_at_least_records = 40 + p;
    end.lost_at_least_ms = 500;
    end.blind_window_ms = 8000;
    end.stranded_records = 7;
  }
  return record;
}

TEST(EndReport, FiguresOfAnEndSurviveStoringAndReading) {
  const PromotionRecord record = ended();
  auto read = decode_end_report(encode(report_of(record)));
  ASSERT_TRUE(read) << read.error().to_string();
  PromotionRecord bare = record;
  for (auto& end : bare.partitions) end = mirror_end(end.partition, Offset(100));
  apply(*read, bare);
  EXPECT_EQ(bare, record);
}

TEST(EndReport, ReportOfAnotherEndOfTheTopicChangesNothing) {
  PromotionRecord later = ended();
  later.wall_ms += 1;
  const PromotionRecord before = later;
  EndReport report = report_of(ended());
  report.partitions[0].stranded_records = 999;
  apply(report, later);
  EXPECT_EQ(later, before);
}

TEST(EndReport, DamagedAndNewerValuesAreRefused) {
  EXPECT_EQ(decode_end_report("{}").error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(decode_end_report(R"({"v":1,"wall_ms":1,"partitions":[[1]]})").error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(decode_end_report(R"({"v":9,"wall_ms":1,"partitions":[]})").error().code, ErrorCode::kUnsupported);
}

TEST(EndReport, KeyNamesLinkAndTopic) {
  const LinkKey key = parse_link_key(end_report_key("a", "orders"));
  EXPECT_EQ(key.kind, LinkKey::Kind::kEndReport);
  EXPECT_EQ(key.link, "a");
  EXPECT_EQ(key.child, "orders");
}

}  // namespace
}  // namespace farshore
