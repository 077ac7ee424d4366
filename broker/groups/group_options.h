// The coordinator's settings (Kafka's names beside them), its named limits, and what it counts.
#pragma once

#include "base/metrics.h"
#include "base/time.h"
#include "broker/groups/group.h"

namespace farshore::broker {

struct GroupOptions {
  GroupLimits group;
  int32_t session_timeout_min_ms = 6000;              // group.min.session.timeout.ms
  int32_t session_timeout_max_ms = 1800000;           // group.max.session.timeout.ms
  int32_t partitions = 50;                            // offsets.topic.num.partitions
  int64_t segment_bytes = 100 << 20;                  // offsets.topic.segment.bytes
  size_t metadata_bytes_max = 4096;                   // offset.metadata.max.bytes
  Duration offsets_retention = minutes(7 * 24 * 60);  // offsets.retention.minutes
  Duration retention_check = minutes(10);             // offsets.retention.check.interval.ms
  Duration commit_max = seconds(5);                   // after so long a client hears that its commit is undecided
  // A batch of our own records. What the topic must accept (max.message.bytes) lies above, by the batch header.
  size_t batch_bytes_max = 1 << 20;
};

inline constexpr const char* kOffsetsTopic = "__consumer_offsets";

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
