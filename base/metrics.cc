#include "base/metrics.h"

#include <algorithm>

#include "base/ensure.h"

namespace farshore {

void Histogram::observe(double v) {
  auto bucket = std::lower_bound(bounds_.begin(), bounds_.end(), v) - bounds_.begin();
  ++counts_[static_cast<size_t>(bucket)];
  sum_ += v;
}

MetricRegistry::Cell& MetricRegistry::cell(const std::string& name, const std::string& help, MetricLabels& labels) {
  std::sort(labels.begin(), labels.end());
  auto& family = families_[name];
  if (family.help.empty()) family.help = help;
  return family.cells[labels];
}

Counter& MetricRegistry::counter(const std::string& name, const std::string& help, MetricLabels labels) {
  auto& found = cell(name, help, labels);
  ensure(!found.gauge && !found.histogram, "a metric name has one kind");
  if (!found.counter) found.counter = std::make_unique<Counter>();
  return *found.counter;
}

Gauge& MetricRegistry::gauge(const std::string& name, const std::string& help, MetricLabels labels) {
  auto& found = cell(name, help, labels);
  ensure(!found.counter && !found.histogram, "a metric name has one kind");
  if (!found.gauge) found.gauge = std::make_unique<Gauge>();
  return *found.gauge;
}

Histogram& MetricRegistry::histogram(const std::string& name, const std::string& help, std::vector<double> bounds,
                                     MetricLabels labels) {
  auto& found = cell(name, help, labels);
  ensure(!found.counter && !found.gauge, "a metric name has one kind");
  if (!found.histogram) found.histogram = std::make_unique<Histogram>(std::move(bounds));
  return *found.histogram;
}

void MetricRegistry::remove(const std::string& label, const std::string& value) {
  for (auto family = families_.begin(); family != families_.end();) {
    std::erase_if(family->second.cells, [&](const auto& entry) {
      return std::find(entry.first.begin(), entry.first.end(), std::pair(label, value)) != entry.first.end();
    });
    family = family->second.cells.empty() ? families_.erase(family) : std::next(family);
  }
}

std::vector<MetricFamilyView> MetricRegistry::collect() {
  for (auto& refresh : refreshers_) refresh();
  std::vector<MetricFamilyView> views;
  views.reserve(families_.size());
  for (const auto& [name, family] : families_) {
    MetricFamilyView view;
    view.name = name;
    view.help = family.help;
    for (const auto& [labels, found] : family.cells)
      view.samples.push_back({labels, found.counter.get(), found.gauge.get(), found.histogram.get()});
    views.push_back(std::move(view));
  }
  return views;
}

}  // namespace farshore
