#include "offsets/translation/records.h"

#include <limits>

#include "base/bytes.h"
#include "proto/kafka/messages/relay_records.h"
#include "proto/kafka/wire.h"

namespace farshore {
namespace {

constexpr int16_t kVersion = 0;

template <class Message>
Result<std::string> encode(int16_t prefix, const Message& message) {
  kafka::Writer writer;
  writer.i16(prefix);
  message.encode(writer, kVersion);
  FARSHORE_TRY(auto encoded, writer.finish());
  return std::string(as_text(encoded.to_bytes()));
}

// A key or value without its prefix, whole.
template <class Message>
Result<Message> decode(kafka::Reader& reader, std::string_view what) {
  auto message = Message::decode(reader, kVersion);
  if (!message) return Error(ErrorCode::kCorrupt, message.error().detail).in(what);
  if (auto whole = reader.finish(); !whole) return Error(ErrorCode::kCorrupt, whole.error().detail).in(what);
  return message;
}

Status check_version(int16_t version, std::string_view what) {
  if (version == kVersion) return ok();
  if (version < 0) return Error(ErrorCode::kCorrupt, "version " + std::to_string(version)).in(what);
  return Error(ErrorCode::kUnsupported, "version " + std::to_string(version) + " was written by a later Farshore")
      .in(what);
}

bool fits(int64_t from, int64_t length) {
  return from >= 0 && length >= 0 && length <= std::numeric_limits<int64_t>::max() - from;
}

// What is wrong with it, in words; empty: nothing.
std::string_view fault(const RunRecord& record) {
  if (record.key.partition.value() < 0) return "a negative partition";
  if (record.run.source_epoch.value() < -1) return "a negative source epoch";
  if (record.run.source.value() < 0) return "a negative source offset";
  if (record.erased) return "";
  if (!fits(record.run.source.value(), record.run.length)) return "a run beyond the source's last possible offset";
  if (!fits(record.run.target.value(), record.run.length)) return "a run beyond the target's last possible offset";
  if (record.run.target_epoch.value() < -1) return "a negative target epoch";
  return "";
}

std::string_view fault(const AnchorRecord& record) {
  const RelayAnchor& anchor = record.anchor;
  if (record.key.partition.value() < 0) return "a negative partition";
  if (anchor.producer.id < 0 || anchor.producer.epoch < 0) return "no producer";
  if (anchor.sequence < 0) return "a negative sequence";
  if (record.erased) return "";
  if (anchor.source.value() < 0) return "a negative source offset";
  if (anchor.source_epoch.value() < -1) return "a negative source epoch";
  if (anchor.target_from.value() < 0) return "a negative target offset";
  return "";
}

LinkPartition key_of(const Uuid& link, const Uuid& topic, int32_t partition) {
  LinkPartition key;
  key.link = LinkId(link);
  key.source_topic = SourceTopicId(topic);
  key.partition = PartitionId(partition);
  return key;
}

struct Encoder {
  EncodedTranslation out;

  Status operator()(const RunRecord& record) {
    if (auto wrong = fault(record); !wrong.empty()) return Error(ErrorCode::kInvalidArgument, std::string(wrong));
    kafka::RelayRunKey key;
    key.link = record.key.link.value();
    key.topic_id = record.key.source_topic.value();
    key.partition = record.key.partition.value();
    key.source_epoch = record.run.source_epoch.value();
    key.source = record.run.source.value();
    FARSHORE_TRY(out.key, encode(kafka::RelayRunKey::kRecordType, key));
    if (record.erased) return ok();
    kafka::RelayRunValue value;
    value.target = record.run.target.value();
    value.length = record.run.length;
    value.target_epoch = record.run.target_epoch.value();
    FARSHORE_TRY(out.value, encode(kVersion, value));
    return ok();
  }

  Status operator()(const AnchorRecord& record) {
    if (auto wrong = fault(record); !wrong.empty()) return Error(ErrorCode::kInvalidArgument, std::string(wrong));
    kafka::RelayAnchorKey key;
    key.link = record.key.link.value();
    key.topic_id = record.key.source_topic.value();
    key.partition = record.key.partition.value();
    key.producer_id = record.anchor.producer.id;
    key.producer_epoch = record.anchor.producer.epoch;
    key.sequence = record.anchor.sequence;
    FARSHORE_TRY(out.key, encode(kafka::RelayAnchorKey::kRecordType, key));
    if (record.erased) return ok();
    kafka::RelayAnchorValue value;
    value.source = record.anchor.source.value();
    value.source_epoch = record.anchor.source_epoch.value();
    value.target_from = record.anchor.target_from.value();
    value.settles = record.anchor.settles;
    FARSHORE_TRY(out.value, encode(kVersion, value));
    return ok();
  }
};

Result<TranslationRecord> decode_run(kafka::Reader& key_reader, std::optional<std::string_view> value_bytes) {
  FARSHORE_TRY(auto key, decode<kafka::RelayRunKey>(key_reader, "key of a run"));
  RunRecord record;
  record.key = key_of(key.link, key.topic_id, key.partition);
  record.run.source_epoch = LogEpoch(key.source_epoch);
  record.run.source = SourceOffset(key.source);
  record.erased = !value_bytes;
  if (value_bytes) {
    kafka::Reader reader(as_bytes(*value_bytes));
    const int16_t version = reader.i16();
    if (!reader.ok()) return Error(ErrorCode::kCorrupt, "a run without version");
    FARSHORE_CHECK(check_version(version, "run"));
    FARSHORE_TRY(auto value, decode<kafka::RelayRunValue>(reader, "run"));
    record.run.target = TargetOffset(value.target);
    record.run.length = value.length;
    record.run.target_epoch = LeadershipEpoch(value.target_epoch);
  }
  if (auto wrong = fault(record); !wrong.empty()) return Error(ErrorCode::kCorrupt, std::string(wrong)).in("run");
  return TranslationRecord(std::move(record));
}

Result<TranslationRecord> decode_anchor(kafka::Reader& key_reader, std::optional<std::string_view> value_bytes) {
  FARSHORE_TRY(auto key, decode<kafka::RelayAnchorKey>(key_reader, "key of an anchor"));
  AnchorRecord record;
  record.key = key_of(key.link, key.topic_id, key.partition);
  record.anchor.producer.id = key.producer_id;
  record.anchor.producer.epoch = key.producer_epoch;
  record.anchor.sequence = key.sequence;
  record.erased = !value_bytes;
  if (value_bytes) {
    kafka::Reader reader(as_bytes(*value_bytes));
    const int16_t version = reader.i16();
    if (!reader.ok()) return Error(ErrorCode::kCorrupt, "an anchor without version");
    FARSHORE_CHECK(check_version(version, "anchor"));
    FARSHORE_TRY(auto value, decode<kafka::RelayAnchorValue>(reader, "anchor"));
    record.anchor.source = SourceOffset(value.source);
    record.anchor.source_epoch = LogEpoch(value.source_epoch);
    record.anchor.target_from = TargetOffset(value.target_from);
    record.anchor.settles = value.settles;
  }
  if (auto wrong = fault(record); !wrong.empty()) return Error(ErrorCode::kCorrupt, std::string(wrong)).in("anchor");
  return TranslationRecord(std::move(record));
}

}  // namespace

Result<EncodedTranslation> encode_translation(const TranslationRecord& record) {
  Encoder encoder;
  FARSHORE_CHECK(std::visit(encoder, record));
  return std::move(encoder.out);
}

Result<TranslationRecord> decode_translation(std::string_view key, std::optional<std::string_view> value) {
  kafka::Reader reader(as_bytes(key));
  const int16_t type = reader.i16();
  if (!reader.ok()) return Error(ErrorCode::kCorrupt, "a record of __farshore_offsets without type");
  if (type == kafka::RelayRunKey::kRecordType) return decode_run(reader, value);
  if (type == kafka::RelayAnchorKey::kRecordType) return decode_anchor(reader, value);
  if (type < 0) return Error(ErrorCode::kCorrupt, "record type " + std::to_string(type));
  return Error(ErrorCode::kUnsupported,
               "record type " + std::to_string(type) + " of __farshore_offsets was written by a later Farshore");
}

}  // namespace farshore
