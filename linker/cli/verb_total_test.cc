#include "linker/cli/verb_total.h"

#include <gtest/gtest.h>

namespace farshore::cli {
namespace {

struct PartitionFigures {
  int64_t end = 0, lost = 0, blind_ms = 0, lost_ms = 0;
};

control::v1::VerbProgress ended_topic(const std::vector<PartitionFigures>& partitions) {
  control::v1::VerbProgress progress;
  progress.set_done(true);
  auto& record = *progress.mutable_mirror()->mutable_promotion();
  for (const auto& figures : partitions) {
    auto& p = *record.add_partitions();
    p.set_failover_offset(figures.end);
    p.set_lost_at_least_records(figures.lost);
    p.set_blind_window_ms(figures.blind_ms);
    p.set_lost_at_least_ms(figures.lost_ms);
  }
  return progress;
}

TEST(VerbTotal, FiguresOfAllTopicsAreAddedUp) {
  VerbTotal total;
  total.add(ended_topic({{10, 3, 1500}, {10, 1, 200}}));
  total.add(ended_topic({{10, 2, 400}}));
  control::v1::VerbProgress failed;
  failed.set_error("no");
  total.add(failed);
  EXPECT_EQ(total.to_string(false),
            "3 topics: 2 ended, 1 failed; at least 6 records lost, 0 stranded, longest blind window 1.5 s");
}

TEST(VerbTotal, BlindWindowThatNobodyKnowsIsUnknownAndNotZero) {
  VerbTotal total;
  for (int i = 0; i < 2; ++i) total.add(ended_topic({{10, 0, -1}, {10, 0, -1}}));
  EXPECT_EQ(total.to_string(true),
            "2 topics: 2 would end, 0 failed; at least 0 records lost, 0 stranded, longest blind window unknown");
}

TEST(VerbTotal, PartitionsWithoutAFigureAreCounted) {
  VerbTotal total;
  total.add(ended_topic({{10, 4, 300}, {-1, 0, -1}}));
  total.add(ended_topic({{10, 0, 100}}));
  EXPECT_EQ(total.to_string(false),
            "2 topics: 2 ended, 0 failed; at least 4 records lost (not known of 1 partitions), 0 stranded, longest "
            "blind window 300 ms (not known of 1 partitions)");
}

TEST(VerbTotal, OfflinePartitionsAloneLoseAnUnknownNumber) {
  VerbTotal total;
  for (int i = 0; i < 2; ++i) total.add(ended_topic({{-1, 0, -1}}));
  EXPECT_EQ(total.to_string(false),
            "2 topics: 2 ended, 0 failed; it is not known how many records are lost, 0 stranded, longest blind window "
            "unknown");
}

TEST(VerbTotal, LossThatTheGatewayNeverHeardOfIsUnknownAndNotZero) {
  VerbTotal total;
  for (int i = 0; i < 2; ++i) total.add(ended_topic({{10, 0, 9000, -1}}));
  EXPECT_EQ(total.to_string(true),
            "2 topics: 2 would end, 0 failed; it is not known how many records are lost, 0 stranded, longest blind "
            "window 9.0 s");
}

TEST(VerbTotal, OneTopicNeedsNone) {
  VerbTotal total;
  total.add(ended_topic({{10, 0, 0}}));
  EXPECT_EQ(total.to_string(false), "");
}

}  // namespace
}  // namespace farshore::cli
