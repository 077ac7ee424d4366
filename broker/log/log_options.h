// The topic settings that a log obeys. Names and defaults are Kafka's.
#pragma once

#include <cstddef>
#include <cstdint>

namespace farshore {

// kKeep, an empty cleanup.policy: nothing goes but what DeleteRecords takes.
enum class CleanupPolicy : uint8_t { kKeep = 0, kDelete = 1, kCompact = 2, kCompactDelete = 3 };
inline bool deletes(CleanupPolicy policy) { return (static_cast<uint8_t>(policy) & 1) != 0; }
inline bool compacts(CleanupPolicy policy) { return (static_cast<uint8_t>(policy) & 2) != 0; }

struct LogOptions {
  CleanupPolicy cleanup_policy = CleanupPolicy::kDelete;
  uint64_t segment_bytes = 1 << 30;                        // segment.bytes
  int64_t segment_ms = 7LL * 24 * 3600 * 1000;             // segment.ms
  int64_t retention_ms = 7LL * 24 * 3600 * 1000;           // retention.ms, -1: for ever
  int64_t retention_bytes = -1;                            // retention.bytes, -1: no limit
  uint32_t index_interval_bytes = 4096;                    // index.interval.bytes
  uint32_t segment_index_bytes = 10 << 20;                 // segment.index.bytes
  uint32_t max_message_bytes = 1048588;                    // max.message.bytes (whole batch)
  bool log_append_time = false;                            // message.timestamp.type
  int64_t timestamp_before_max_ms = INT64_MAX;             // message.timestamp.before.max.ms
  int64_t timestamp_after_max_ms = 3600000;                // message.timestamp.after.max.ms
  int64_t delete_retention_ms = 24LL * 3600 * 1000;        // delete.retention.ms
  int64_t min_compaction_lag_ms = 0;                       // min.compaction.lag.ms
  double min_cleanable_ratio = 0.5;                        // min.cleanable.dirty.ratio
  int64_t producer_id_expiration_ms = 24LL * 3600 * 1000;  // producer.id.expiration.ms
  size_t producers_max = 100'000;                          // max.producer.ids.per.partition
  size_t cleaner_dedupe_bytes = 128 << 20;                 // log.cleaner.dedupe.buffer.size
  // True for a mirror or follower: it deletes and compacts nothing by itself, its log start follows the source's.
  bool follows_source = false;
  bool test_only_high_watermark_before_truncation = false;  // an injected defect: see BrokerPlants
};

}  // namespace farshore
