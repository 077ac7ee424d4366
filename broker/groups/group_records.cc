#include "broker/groups/group_records.h"

#include <algorithm>
#include <cstdlib>

#include "base/bytes.h"
#include "proto/kafka/wire.h"

namespace farshore::broker {
namespace {

constexpr int16_t kLegacyOffsetKey = 0;  // the same fields as 1; written before Kafka 0.9
constexpr int16_t kOffsetKey = 1, kGroupKey = 2;
constexpr int16_t kOffsetValue = 4, kOffsetValueWithExpiry = 1, kGroupValue = 3;

// Each message is preceded by its type (keys) or version (values).
template <class Message>
Result<std::string> encode(int16_t prefix, const Message& message, int16_t version) {
  kafka::Writer writer;
  writer.i16(prefix);
  message.encode(writer, version);
  FARSHORE_TRY(auto encoded, writer.finish());
  return std::string(as_text(encoded.to_bytes()));
}

struct Encoder {
  EncodedRecord out;

  Status operator()(const OffsetRecord& record) {
    kafka::OffsetCommitKey key;
    key.group = record.group;
    key.topic = record.partition.topic;
    key.partition = record.partition.partition;
    FARSHORE_TRY(out.key, encode(kOffsetKey, key, 0));
    if (!record.value) return ok();
    kafka::OffsetCommitValue value;
    value.offset = record.value->offset.value();
    value.leader_epoch = record.value->leader_epoch;
    value.metadata = record.value->metadata;
    value.commit_timestamp = record.value->commit_ms;
    value.expire_timestamp = record.value->expire_ms;
    const int16_t version = record.value->expire_ms >= 0 ? kOffsetValueWithExpiry : kOffsetValue;
    FARSHORE_TRY(out.value, encode(version, value, version));
    return ok();
  }

  Status operator()(const GroupRecord& record) {
    kafka::GroupMetadataKey key;
    key.group = record.group;
    FARSHORE_TRY(out.key, encode(kGroupKey, key, 0));
    if (!record.value) return ok();
    FARSHORE_TRY(out.value, encode(kGroupValue, *record.value, kGroupValue));
    return ok();
  }

  Status operator()(const ForeignRecord&) {
    return Error(ErrorCode::kInvalidArgument, "a record of an unknown type cannot be written");
  }
};

template <class Value>
Result<std::optional<Value>> decode_value(const std::optional<std::string_view>& value) {
  if (!value) return std::optional<Value>();
  kafka::Reader reader(as_bytes(*value));
  const int16_t version = reader.i16();
  FARSHORE_CHECK(reader.status());
  FARSHORE_TRY(Value message, Value::decode(reader, version));
  return std::optional<Value>(std::move(message));
}

Error corrupt(const Error& error, std::string_view where) { return Error(ErrorCode::kCorrupt, error.detail).in(where); }

}  // namespace

Result<EncodedRecord> encode_record(const CoordinatorRecord& record) {
  Encoder encoder;
  FARSHORE_CHECK(std::visit(encoder, record));
  return std::move(encoder.out);
}

Result<CoordinatorRecord> decode_record(std::string_view key_bytes, std::optional<std::string_view> value_bytes) {
  kafka::Reader reader(as_bytes(key_bytes));
  const int16_t type = reader.i16();
  if (!reader.ok()) return Error(ErrorCode::kCorrupt, "a group record without type");
  if (type == kLegacyOffsetKey || type == kOffsetKey) {
    auto key = kafka::OffsetCommitKey::decode(reader, 0);
    if (!key) return corrupt(key.error(), "key of an offset commit");
    OffsetRecord record;
    record.group = std::move(key->group);
    record.partition.topic = std::move(key->topic);
    record.partition.partition = key->partition;
    auto value = decode_value<kafka::OffsetCommitValue>(value_bytes);
    if (!value) return corrupt(value.error(), "offset commit of group " + record.group);
    if (*value) {
      CommittedOffset& committed = record.value.emplace();
      committed.offset = Offset((*value)->offset);
      committed.leader_epoch = (*value)->leader_epoch;
      committed.metadata = std::move((*value)->metadata);
      committed.commit_ms = (*value)->commit_timestamp;
      committed.expire_ms = std::max<int64_t>((*value)->expire_timestamp, -1);  // any negative time says: none
    }
    return CoordinatorRecord(std::move(record));
  }
  if (type == kGroupKey) {
    auto key = kafka::GroupMetadataKey::decode(reader, 0);
    if (!key) return corrupt(key.error(), "key of group metadata");
    GroupRecord record;
    record.group = std::move(key->group);
    auto value = decode_value<kafka::GroupMetadataValue>(value_bytes);
    if (!value) return corrupt(value.error(), "metadata of group " + record.group);
    record.value = std::move(*value);
    return CoordinatorRecord(std::move(record));
  }
  ForeignRecord foreign;
  foreign.type = type;
  return CoordinatorRecord(foreign);
}

int32_t group_partition(std::string_view group_id, int32_t partition_count) {
  // Java hashes UTF-16 units. Ids are UTF-8 on the wire; malformed bytes count as one unit each.
  uint32_t hash = 0;
  auto unit = [&](uint32_t value) { hash = 31 * hash + value; };
  for (size_t i = 0; i < group_id.size();) {
    const auto lead = static_cast<unsigned char>(group_id[i]);
    const size_t length = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
    if (length == 1 || i + length > group_id.size()) {
      unit(lead);
      ++i;
      continue;
    }
    uint32_t point = lead & (0xffu >> (length + 1));
    for (size_t k = 1; k < length; ++k) point = point << 6 | (static_cast<unsigned char>(group_id[i + k]) & 0x3f);
    if (point >= 0x10000) {
      unit(0xd800 + ((point - 0x10000) >> 10));
      unit(0xdc00 + ((point - 0x10000) & 0x3ff));
    } else {
      unit(point);
    }
    i += length;
  }
  const auto value = static_cast<int32_t>(hash);
  return (value == INT32_MIN ? 0 : std::abs(value)) % partition_count;
}

}  // namespace farshore::broker
