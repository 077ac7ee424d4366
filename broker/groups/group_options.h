// The group coordinator's settings. Kafka's names of the properties stand beside them.
#pragma once

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
  Duration commit_max = seconds(5);                   // after so long an undecided commit is answered with an error
  size_t batch_bytes_max = 1 << 20;                   // of records; below max.message.bytes of the topic
  // What members bring with JoinGroup is kept while they are members.
  size_t member_bytes_max = 4 << 20;     // of one, and batch_bytes_max for each protocol: MESSAGE_TOO_LARGE
  size_t members_bytes_max = 256 << 20;  // of all that joined: COORDINATOR_NOT_AVAILABLE, the client tries again
};

inline constexpr const char* kOffsetsTopic = "__consumer_offsets";

}  // namespace farshore::broker
