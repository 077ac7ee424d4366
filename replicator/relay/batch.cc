#include "replicator/relay/batch.h"

#include "proto/batch/header_patch.h"

namespace farshore::replicator {

namespace {

constexpr int16_t kDeleteHorizonBit = 0x40;

Error unsupported(const BatchHeader& batch, const char* why) {
  return Error(ErrorCode::kUnsupported,
               "the batch at source offset " + std::to_string(batch.base_offset) + " cannot be relayed yet: " + why);
}

std::string refusal_text(int16_t code, const std::optional<std::string>& message) {
  std::string text(kafka::error_name(static_cast<kafka::ErrorCode>(code)));
  if (message && !message->empty()) text += ": " + *message;
  return text;
}

std::string refused_text(const RefusedBatch& batch) {
  return "the batch at source offset " + std::to_string(batch.source.value()) + " (" + std::to_string(batch.bytes) +
         " bytes) is refused by target topic " + batch.target_topic + "-" + std::to_string(batch.partition);
}

}  // namespace

bool carries_no_record(const BatchHeader& batch) { return batch.control() || batch.record_count == 0; }

Status can_relay_raw(const BatchHeader& batch) {
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
  const std::string text = refusal_text(code, message);
  const std::string what = refused_text(batch) + ": ";
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

bool refused_for_now(int16_t code) {
  switch (static_cast<kafka::ErrorCode>(code)) {
    case kafka::ErrorCode::kUnknownTopicOrPartition:
    case kafka::ErrorCode::kUnknownTopicId:
    case kafka::ErrorCode::kLeaderNotAvailable:
    case kafka::ErrorCode::kNotLeaderOrFollower:
    case kafka::ErrorCode::kRequestTimedOut:
    case kafka::ErrorCode::kBrokerNotAvailable:
    case kafka::ErrorCode::kReplicaNotAvailable:
    case kafka::ErrorCode::kNetworkException:
    case kafka::ErrorCode::kNotEnoughReplicas:
    case kafka::ErrorCode::kNotEnoughReplicasAfterAppend:
    case kafka::ErrorCode::kKafkaStorageError:
    case kafka::ErrorCode::kFencedLeaderEpoch:
    case kafka::ErrorCode::kUnknownLeaderEpoch:
    case kafka::ErrorCode::kThrottlingQuotaExceeded:
      return true;
    default:
      return false;
  }
}

Error always_refused(int16_t code, const std::optional<std::string>& message, const RefusedBatch& batch, int times) {
  return Error(ErrorCode::kInvalidArgument, refused_text(batch) + " " + std::to_string(times) +
                                                " times in a row: " + refusal_text(code, message) +
                                                "; when the target takes such batches, 'farshore mirror resume' goes "
                                                "on here");
}

}  // namespace farshore::replicator
