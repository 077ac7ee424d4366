#include "broker/groups/group_metrics.h"

namespace farshore::broker {

GroupMetrics::GroupMetrics(MetricRegistry& registry)
    : commits(registry.counter("farshore_broker_group_commits_total", "Offsets committed by consumer groups.")),
      expired(
          registry.counter("farshore_broker_group_offsets_expired_total", "Committed offsets removed by retention.")),
      rebalances(registry.counter("farshore_broker_group_rebalances_total", "Rebalances begun.")),
      members_lost(registry.counter("farshore_broker_group_members_lost_total", "Members removed for their silence.")),
      batches(registry.counter("farshore_broker_group_batches_total", "Batches appended to __consumer_offsets.")),
      failures(registry.counter("farshore_broker_group_failures_total", "Failed appends and loads of group state.")),
      loading(
          registry.gauge("farshore_broker_group_partitions_loading_count", "Partitions of group state being read.")) {}

}  // namespace farshore::broker
