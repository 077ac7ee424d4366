// Counters, gauges and histograms of one process. Cells are plain numbers on the Env's thread (no atomics): reading
// them is collect(), on the same executor. The HTTP edge renders them for Prometheus.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace farshore {

using MetricLabels = std::vector<std::pair<std::string, std::string>>;  // sorted by the registry

class Counter {
 public:
  void add(uint64_t n = 1) { value_ += n; }
  uint64_t value() const { return value_; }

 private:
  uint64_t value_ = 0;
};

class Gauge {
 public:
  void set(double v) { value_ = v; }
  void add(double v) { value_ += v; }
  double value() const { return value_; }

 private:
  double value_ = 0;
};

// Bounds are upper limits, ascending; one more bucket holds the rest.
class Histogram {
 public:
  explicit Histogram(std::vector<double> bounds) : bounds_(std::move(bounds)), counts_(bounds_.size() + 1) {}
  void observe(double v);
  const std::vector<double>& bounds() const { return bounds_; }
  const std::vector<uint64_t>& counts() const { return counts_; }
  double sum() const { return sum_; }

 private:
  std::vector<double> bounds_;
  std::vector<uint64_t> counts_;
  double sum_ = 0;
};

struct MetricSample {
  MetricLabels labels;
  const Counter* counter = nullptr;  // exactly one is set
  const Gauge* gauge = nullptr;
  const Histogram* histogram = nullptr;
};
struct MetricFamilyView {
  std::string name, help;
  std::vector<MetricSample> samples;
};

// Names follow Prometheus: farshore_<room>_<what>_<unit>[_total]. A cell lives as long as the registry, or until
// remove(). Asking again for the same name and labels gives the same cell.
class MetricRegistry {
 public:
  Counter& counter(const std::string& name, const std::string& help, MetricLabels labels = {});
  Gauge& gauge(const std::string& name, const std::string& help, MetricLabels labels = {});
  Histogram& histogram(const std::string& name, const std::string& help, std::vector<double> bounds,
                       MetricLabels labels = {});
  // Drops every cell whose labels contain this pair (a deleted topic, a deleted link).
  void remove(const std::string& label, const std::string& value);
  // Called before each collect(): refreshes gauges that are derived from state.
  void on_collect(std::function<void()> refresh) { refreshers_.push_back(std::move(refresh)); }
  std::vector<MetricFamilyView> collect();

 private:
  struct Cell {
    std::unique_ptr<Counter> counter;
    std::unique_ptr<Gauge> gauge;
    std::unique_ptr<Histogram> histogram;
  };
  struct Family {
    std::string help;
    std::map<MetricLabels, Cell> cells;
  };
  Cell& cell(const std::string& name, const std::string& help, MetricLabels& labels);
  std::map<std::string, Family> families_;
  std::vector<std::function<void()>> refreshers_;
};

}  // namespace farshore
