// What /metrics says about links: farshore_link_*, one set per link, read from the links' own state when it is asked
// for. A link that was deleted is gone from it at the next reading. Executor: the Env's.
//
// How many series: about 45 per link (they do not grow with topics or partitions), and two per mirror topic for the
// first `topics_max` topics of each link, by name; farshore_link_topics_not_shown says how many are left out.
#pragma once

#include <string>
#include <vector>

#include "base/metrics.h"
#include "proto/control/control.pb.h"
#include "replicator/replicator_counters.h"

namespace farshore::linker {

struct TaskReading {
  std::string name;
  uint64_t runs = 0, errors = 0;
  bool in_error = false;
};

struct LinkReading {
  control::v1::Link link;
  std::vector<control::v1::MirrorTopic> topics;  // those whose lag is shown
  size_t topics_not_shown = 0;
  replicator::ReplicatorCounters counters;
  replicator::ReplicatorLoad load;
  std::vector<TaskReading> tasks;
};

class LinkMetrics {
 public:
  explicit LinkMetrics(MetricRegistry& registry) : registry_(registry) {}
  // Replaces all that was said about links before.
  void show(const std::vector<LinkReading>& links);

 private:
  void show_one(const LinkReading& reading);
  MetricRegistry& registry_;
  std::vector<std::string> shown_;
};

}  // namespace farshore::linker
