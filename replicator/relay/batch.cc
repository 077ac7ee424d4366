#include "replicator/relay/batch.h"

#include "proto/batch/header_patch.h"

namespace farshore::replicator {

namespace {

constexpr int16_t kDeleteHorizonBit = 0x40;

Error unsupported(const BatchHeader& batch, const char* why) {
  return Error(ErrorCode::kUnsupported,
               "the batch at source offset " + std::to_string(batch.base_offset) + " cannot be relayed yet: " + why);
}

}  // namespace

Status can_relay_raw(const BatchHeader& batch) {
  if (batch.control()) return unsupported(batch, "it is a control batch (the topic has transactions)");
  if (batch.transactional()) return unsupported(batch, "it is part of a transaction");
  if (batch.log_append_time())
    return unsupported(batch,
                       "the source topic has message.timestamp.type=LogAppendTime, and the target would show "
                       "other times");
  if (!batch.contiguous())
    return unsupported(batch, "it has offsets without a record (the source topic was compacted)");
  return ok();
}

void stamp_for_relay(BatchRun& run, kafka::ProducerIdentity producer, int32_t sequence) {
  ensure(run.batches.size() == 1, "a relayed run is one batch");
  BatchHeader after = run.batches.front();
  after.base_offset = 0;
  after.partition_leader_epoch = -1;
  after.attributes = static_cast<int16_t>(after.attributes & ~kDeleteHorizonBit);
  after.producer_id = producer.id;
  after.producer_epoch = producer.epoch;
  after.base_sequence = sequence;
  patch_header(run, 0, 0, after);
}

Error produce_error(int16_t code, const std::optional<std::string>& message, const RefusedBatch& batch) {
  using Code = kafka::ErrorCode;
  std::string text(kafka::error_name(static_cast<Code>(code)));
  if (message && !message->empty()) text += ": " + *message;
  const std::string what = "the batch at source offset " + std::to_string(batch.source.value()) + " (" +
                           std::to_string(batch.bytes) + " bytes) is refused by target topic " + batch.target_topic +
                           "-" + std::to_string(batch.partition) + ": ";
  switch (static_cast<Code>(code)) {
    case Code::kInvalidProducerEpoch:
    case Code::kProducerFenced:
    case Code::kInvalidProducerIdMapping:
    case Code::kTransactionalIdNotFound:
      return Error(ErrorCode::kFenced, text + " (another gateway has taken the partition over)");
    case Code::kMessageTooLarge:
    case Code::kRecordListTooLarge:
      return Error(
          ErrorCode::kInvalidArgument,
          what + text + "; raise max.message.bytes of the target topic to at least " + std::to_string(batch.bytes));
    case Code::kInvalidTimestamp:
      return Error(ErrorCode::kInvalidArgument,
                   what + text + "; its largest timestamp is " + std::to_string(batch.max_timestamp_ms) +
                       " ms; widen message.timestamp.before.max.ms or message.timestamp.after.max.ms of the target "
                       "topic");
    case Code::kInvalidRecord:
      return Error(
          ErrorCode::kInvalidArgument,
          what + text + "; does the target topic have cleanup.policy=compact, which wants a key in each record?");
    case Code::kUnsupportedCompressionType:
    case Code::kUnsupportedForMessageFormat:
    case Code::kPolicyViolation:
    case Code::kInvalidTopicException:
    case Code::kInvalidRequest:
    case Code::kInvalidRequiredAcks:
      return Error(ErrorCode::kInvalidArgument, what + text);
    case Code::kTopicAuthorizationFailed:
    case Code::kClusterAuthorizationFailed:
    case Code::kTransactionalIdAuthorizationFailed:
      return Error(ErrorCode::kPermissionDenied,
                   text + ": the gateway needs WRITE on target topic " + batch.target_topic);
    default:
      // Also DUPLICATE_SEQUENCE_NUMBER and OUT_OF_ORDER_SEQUENCE_NUMBER: what happened is found out by a takeover.
      return Error(ErrorCode::kUnavailable, text);
  }
}

}  // namespace farshore::replicator
