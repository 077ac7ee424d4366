#include "base/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace farshore {
namespace {

using testing::ElementsAre;

TEST(MetricRegistry, SameNameAndLabelsInAnyOrderShareOneCell) {
  MetricRegistry registry;
  registry.counter("c_total", "help", {{"b", "2"}, {"a", "1"}}).add(3);
  registry.counter("c_total", "help", {{"a", "1"}, {"b", "2"}}).add();
  EXPECT_EQ(registry.counter("c_total", "help", {{"b", "2"}, {"a", "1"}}).value(), 4u);
  EXPECT_EQ(registry.collect().at(0).samples.size(), 1u);
}

TEST(MetricRegistry, CollectRefreshesGaugesAndOmitsRemovedLabels) {
  MetricRegistry registry;
  auto& gauge = registry.gauge("g", "help");
  registry.on_collect([&] { gauge.set(42); });
  registry.counter("c_total", "help", {{"topic", "x"}});
  registry.counter("c_total", "help", {{"topic", "y"}});
  registry.gauge("only_x", "help", {{"topic", "x"}});
  registry.remove("topic", "x");
  auto families = registry.collect();
  ASSERT_EQ(families.size(), 2u);
  EXPECT_EQ(families[0].name, "c_total");
  ASSERT_EQ(families[0].samples.size(), 1u);
  EXPECT_EQ(families[0].samples[0].labels[0].second, "y");
  EXPECT_EQ(families[1].samples[0].gauge->value(), 42);
}

TEST(Histogram, ValueIsCountedInTheFirstBucketThatHoldsIt) {
  MetricRegistry registry;
  auto& histogram = registry.histogram("h", "help", {1, 10});
  for (double v : {0.5, 1.0, 1.5, 10.0, 11.0}) histogram.observe(v);
  EXPECT_THAT(histogram.counts(), ElementsAre(2, 2, 1));
  EXPECT_EQ(histogram.sum(), 24.0);
}

}  // namespace
}  // namespace farshore
