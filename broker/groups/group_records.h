// The records of __consumer_offsets, in Apache Kafka's format and in the versions that Kafka 4.1 writes, so that its
// tools read our segments: offset commits (key 1, value 4, or 1 with an explicit expiry), group metadata (key 2,
// value 3). A record without value is a tombstone.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/ids.h"
#include "base/result.h"
#include "broker/coordinator/encoded_record.h"
#include "proto/kafka/messages/group_records.h"

namespace farshore::broker {

struct CommittedOffset {
  Offset offset;
  int32_t leader_epoch = -1;  // of the record before `offset`, as the consumer saw it; -1: not known
  std::string metadata;
  int64_t commit_ms = 0;
  int64_t expire_ms = -1;  // asked for by an old client (OffsetCommit 2-4); -1: the broker's retention counts
  friend bool operator==(const CommittedOffset&, const CommittedOffset&) = default;
};

struct OffsetRecord {
  std::string group;
  TopicPartition partition;
  std::optional<CommittedOffset> value;
  friend bool operator==(const OffsetRecord&, const OffsetRecord&) = default;
};

struct GroupRecord {
  std::string group;
  std::optional<kafka::GroupMetadataValue> value;
  friend bool operator==(const GroupRecord&, const GroupRecord&) = default;
};

// A type that this broker does not write (KIP-848 groups, transactions of a later version): kept in the log, skipped.
struct ForeignRecord {
  int16_t type = 0;
  friend bool operator==(const ForeignRecord&, const ForeignRecord&) = default;
};

using CoordinatorRecord = std::variant<OffsetRecord, GroupRecord, ForeignRecord>;

// kInvalidArgument: a text too long for the format.
Result<EncodedRecord> encode_record(const CoordinatorRecord& record);
// kCorrupt: not a record of this topic, or a version from the future.
Result<CoordinatorRecord> decode_record(std::string_view key, std::optional<std::string_view> value);

// Which partition of `partition_count` keeps the group: abs(Java's String.hashCode) modulo, as every Kafka client and
// tool expects.
int32_t group_partition(std::string_view group_id, int32_t partition_count);

}  // namespace farshore::broker
