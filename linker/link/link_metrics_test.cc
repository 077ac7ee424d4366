#include "linker/link/link_metrics.h"

#include <gtest/gtest.h>

#include <optional>

namespace farshore::linker {
namespace {

class LinkMetricsTest : public testing::Test {
 protected:
  LinkReading reading(const std::string& name) {
    LinkReading r;
    r.link.mutable_spec()->set_name(name);
    r.link.set_state("ACTIVE");
    return r;
  }
  // One series of what a scrape would see; nullopt: there is none.
  std::optional<double> value(const std::string& family, MetricLabels labels) {
    std::sort(labels.begin(), labels.end());
    for (const auto& view : registry_.collect()) {
      if (view.name != family) continue;
      EXPECT_FALSE(view.help.empty()) << family;
      for (const auto& sample : view.samples) {
        if (sample.labels != labels) continue;
        return sample.counter ? static_cast<double>(sample.counter->value()) : sample.gauge->value();
      }
    }
    return std::nullopt;
  }
  MetricRegistry registry_;
  LinkMetrics metrics_{registry_};
};

TEST_F(LinkMetricsTest, ShowsStateAndLagOfEachLink) {
  auto east = reading("east");
  east.link.set_state("UNAVAILABLE");
  east.link.set_lag_records(12);
  east.link.set_lag_ms_max(340);
  east.link.set_last_source_contact_ms_ago(11000);
  east.link.set_fenced_source_topics(3);
  (*east.link.mutable_mirror_state_count())["FAILED"] = 2;
  metrics_.show({east, reading("north")});
  EXPECT_EQ(value("farshore_link_state", {{"link", "east"}, {"state", "UNAVAILABLE"}}), 1);
  EXPECT_EQ(value("farshore_link_state", {{"link", "east"}, {"state", "ACTIVE"}}), 0);
  EXPECT_EQ(value("farshore_link_state", {{"link", "north"}, {"state", "ACTIVE"}}), 1);
  EXPECT_EQ(value("farshore_link_lag_records", {{"link", "east"}}), 12);
  EXPECT_EQ(value("farshore_link_lag_max_ms", {{"link", "east"}}), 340);
  EXPECT_EQ(value("farshore_link_source_contact_age_ms", {{"link", "east"}}), 11000);
  EXPECT_EQ(value("farshore_link_fenced_source_topics", {{"link", "east"}}), 3);
  EXPECT_EQ(value("farshore_link_mirror_topics", {{"link", "east"}, {"state", "FAILED"}}), 2);
  EXPECT_EQ(value("farshore_link_mirror_topics", {{"link", "east"}, {"state", "ACTIVE"}}), 0);
}

TEST_F(LinkMetricsTest, CountsErrorsByKindAndFencingInTotal) {
  auto east = reading("east");
  east.counters.append_errors[ErrorCode::kNoSpace] = 5;
  east.counters.append_errors[ErrorCode::kFenced] = 1;
  east.counters.control_errors[ErrorCode::kFenced] = 2;
  east.counters.corrupt = 3;
  metrics_.show({east});
  EXPECT_EQ(value("farshore_link_append_errors_total", {{"link", "east"}, {"kind", "no_space_left"}}), 5);
  EXPECT_EQ(value("farshore_link_control_errors_total", {{"link", "east"}, {"kind", "fenced"}}), 2);
  EXPECT_EQ(value("farshore_link_fenced_total", {{"link", "east"}}), 3);
  EXPECT_EQ(value("farshore_link_corrupt_batches_total", {{"link", "east"}}), 3);
}

TEST_F(LinkMetricsTest, CountersDoNotGrowWithTheNumberOfScrapes) {
  auto east = reading("east");
  east.counters.bytes = 1000;
  east.tasks.push_back({"topic-discovery", 7, 2, true});
  for (int i = 0; i < 3; ++i) metrics_.show({east});
  EXPECT_EQ(value("farshore_link_bytes_total", {{"link", "east"}}), 1000);
  east.counters.bytes = 1500;
  metrics_.show({east});
  EXPECT_EQ(value("farshore_link_bytes_total", {{"link", "east"}}), 1500);
  EXPECT_EQ(value("farshore_link_task_errors_total", {{"link", "east"}, {"task", "topic-discovery"}}), 2);
  EXPECT_EQ(value("farshore_link_task_in_error", {{"link", "east"}, {"task", "topic-discovery"}}), 1);
}

TEST_F(LinkMetricsTest, DeletedLinksAndTopicsDisappearFromTheNextScrape) {
  auto east = reading("east");
  east.topics.emplace_back().set_topic("orders");
  east.topics.back().set_lag_records(4);
  metrics_.show({east, reading("north")});
  EXPECT_EQ(value("farshore_link_topic_lag_records", {{"link", "east"}, {"topic", "orders"}}), 4);
  east.topics.clear();
  east.topics_not_shown = 1;
  metrics_.show({east});
  EXPECT_FALSE(value("farshore_link_topic_lag_records", {{"link", "east"}, {"topic", "orders"}}));
  EXPECT_EQ(value("farshore_link_topics_not_shown", {{"link", "east"}}), 1);
  EXPECT_FALSE(value("farshore_link_lag_records", {{"link", "north"}}));
  EXPECT_TRUE(value("farshore_link_lag_records", {{"link", "east"}}));
}

TEST_F(LinkMetricsTest, ShowsLostRangesAndOffsetsByKind) {
  auto east = reading("east");
  east.losses[LossKind::kCut] = {2, 30};
  for (int i = 0; i < 2; ++i) metrics_.show({east});
  EXPECT_EQ(value("farshore_link_losses_total", {{"link", "east"}, {"kind", "cut"}}), 2);
  EXPECT_EQ(value("farshore_link_lost_offsets_total", {{"link", "east"}, {"kind", "cut"}}), 30);
}

TEST_F(LinkMetricsTest, OtherSeriesOfTheProcessStay) {
  registry_.counter("farshore_process_something_total", "x", {{"link", "other"}}).add(3);
  metrics_.show({reading("east")});
  metrics_.show({});
  EXPECT_EQ(value("farshore_process_something_total", {{"link", "other"}}), 3);
  EXPECT_FALSE(value("farshore_link_lag_records", {{"link", "east"}}));
}

}  // namespace
}  // namespace farshore::linker
