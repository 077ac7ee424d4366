// The settings of a broker's partitions. Kafka's names of the properties stand beside them.
#pragma once

#include <cstdint>
#include <string>

#include "base/time.h"

namespace farshore::broker {

enum class Durability : uint8_t {
  kPageCache,  // as Apache Kafka: acknowledged when written; a power loss of the only replica may lose it
  kFsync       // acknowledged only after a group-commit sync; the high watermark never passes the durable end
};

struct PartitionOptions {
  std::string data_dir;  // log.dirs
  Durability durability = Durability::kPageCache;
  size_t open_files_max = 1 << 20;  // files of logs that are open at a time (FileCache)
  Duration retention_check{};       // log.retention.check.interval.ms
  Duration cleaner_backoff{};       // log.cleaner.backoff.ms
  bool cleaner_enabled = true;
  Duration flush_interval{};  // log.flush.interval.ms; zero: no sync by time
  uint64_t reserve_bytes =
      0;  // log.reserve.bytes: free disk space below which clients' and mirrors' writes are refused
  // Defect that only tests inject, to see that they find it. After a truncation the log still takes the old end for
  // durable, so the high watermark passes the replacement before the replacement is on the disk (KAFKA-14704).
  bool inject_high_watermark_before_truncation = false;
};

}  // namespace farshore::broker
