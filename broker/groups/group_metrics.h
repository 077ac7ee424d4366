// The metrics of the group coordinator.
#pragma once

#include "base/metrics.h"

namespace farshore::broker {

struct GroupMetrics {
  explicit GroupMetrics(MetricRegistry& registry);
  Counter& commits;       // offsets committed
  Counter& expired;       // offsets removed by retention
  Counter& rebalances;    // begun
  Counter& members_lost;  // sessions that ended
  Counter& batches;       // appended to __consumer_offsets
  Counter& failures;      // appends or loads that failed
  Gauge& loading;         // partitions being loaded
};

}  // namespace farshore::broker
