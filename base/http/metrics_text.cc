#include "base/http/metrics_text.h"

#include <prometheus/text_serializer.h>

#include <limits>
#include <sstream>

namespace farshore {
namespace {

prometheus::ClientMetric convert(const MetricSample& sample) {
  prometheus::ClientMetric metric;
  for (const auto& [name, value] : sample.labels) metric.label.push_back({name, value});
  if (sample.counter) metric.counter.value = static_cast<double>(sample.counter->value());
  if (sample.gauge) metric.gauge.value = sample.gauge->value();
  if (!sample.histogram) return metric;
  const auto& bounds = sample.histogram->bounds();
  const auto& counts = sample.histogram->counts();
  uint64_t below = 0;
  for (size_t i = 0; i < counts.size(); ++i) {
    below += counts[i];
    metric.histogram.bucket.push_back({below, i < bounds.size() ? bounds[i] : std::numeric_limits<double>::infinity()});
  }
  metric.histogram.sample_count = below;
  metric.histogram.sample_sum = sample.histogram->sum();
  return metric;
}

}  // namespace

std::string render_metrics(MetricRegistry& metrics) {
  std::vector<prometheus::MetricFamily> families;
  for (const auto& view : metrics.collect()) {
    if (view.samples.empty()) continue;
    prometheus::MetricFamily family;
    family.name = view.name;
    family.help = view.help;
    const auto& first = view.samples.front();
    family.type = first.counter ? prometheus::MetricType::Counter
                  : first.gauge ? prometheus::MetricType::Gauge
                                : prometheus::MetricType::Histogram;
    for (const auto& sample : view.samples) family.metric.push_back(convert(sample));
    families.push_back(std::move(family));
  }
  std::ostringstream text;
  prometheus::TextSerializer().Serialize(text, families);
  return text.str();
}

}  // namespace farshore
