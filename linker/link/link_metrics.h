// LinkMetrics: the farshore_link_* series of /metrics, one set per link, read from the links when /metrics is asked
// for. A deleted link disappears with the next scrape. Executor: the Env's.
//
// Number of series: about 50 per link (not growing with topics or partitions), and two per mirror topic for the first
// `topics_max` topics of each link, by name. farshore_link_topics_not_shown counts the others.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/metrics.h"
#include "proto/control/control.pb.h"
#include "proto/link/loss_report.h"
#include "replicator/replicator_counters.h"

namespace farshore::linker {

struct TaskReading {
  std::string name;
  uint64_t runs = 0, errors = 0;
  bool in_error = false;
};

struct LinkReading {
  control::v1::Link link;
  std::vector<control::v1::MirrorTopic> topics;  // those with series of their own
  size_t topics_not_shown = 0;
  replicator::ReplicatorCounters counters;
  replicator::ReplicatorLoad load;
  std::map<LossKind, LossReport::Total> losses;
  std::vector<TaskReading> tasks;
};

class LinkMetrics {
 public:
  explicit LinkMetrics(MetricRegistry& registry) : registry_(registry) {}
  // Replaces all series of links.
  void show(const std::vector<LinkReading>& links);

 private:
  void show_one(const LinkReading& reading);
  MetricRegistry& registry_;
  std::vector<std::string> shown_;
};

}  // namespace farshore::linker
