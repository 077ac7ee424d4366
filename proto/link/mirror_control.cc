#include "proto/link/mirror_control.h"

#include "proto/kafka/error_code.h"
#include "proto/link/internal/state_tables.h"

namespace farshore {
namespace {

constexpr std::pair<MirrorOperation, std::string_view> kNames[] = {
    {MirrorOperation::kOpen, "open"},
    {MirrorOperation::kTruncate, "truncate"},
    {MirrorOperation::kAdvanceLogStart, "advance_log_start"},
    {MirrorOperation::kPromote, "promote"},
    {MirrorOperation::kFailover, "failover"},
    {MirrorOperation::kDigest, "digest"},
    {MirrorOperation::kSetReadOnly, "set_read_only"},
    {MirrorOperation::kDescribe, "describe"},
    {MirrorOperation::kCreateTopic, "create_mirror_topic"},
};

}  // namespace

std::string_view name(MirrorOperation operation) { return name_in(kNames, operation); }

std::optional<MirrorOperation> parse_mirror_operation(int8_t wire) {
  for (MirrorOperation operation : kMirrorOperations)
    if (wire_value(operation) == wire) return operation;
  return std::nullopt;
}

MirrorRole mirror_role(int8_t wire) {
  for (MirrorRole role : {MirrorRole::kMirror, MirrorRole::kPromoted, MirrorRole::kFailedOver})
    if (wire_value(role) == wire) return role;
  return MirrorRole::kNotMirror;
}

Error mirror_error(int16_t code, const std::optional<std::string>& message) {
  using Code = kafka::ErrorCode;
  std::string text(kafka::error_name(static_cast<Code>(code)));
  if (message) text += ": " + *message;
  switch (static_cast<Code>(code)) {
    case Code::kProducerFenced:
    case Code::kInvalidProducerEpoch:
      return Error(ErrorCode::kFenced, std::move(text));
    case Code::kFencedLeaderEpoch:
    case Code::kOffsetOutOfRange:
      return Error(ErrorCode::kConflict, std::move(text));
    case Code::kPolicyViolation:
    case Code::kClusterAuthorizationFailed:
    case Code::kTopicAuthorizationFailed:
      return Error(ErrorCode::kPermissionDenied, std::move(text));
    case Code::kUnknownTopicId:
    case Code::kInconsistentTopicId:
      return Error(ErrorCode::kNotFound, std::move(text));
    case Code::kTopicAlreadyExists:
      return Error(ErrorCode::kAlreadyExists, std::move(text));
    case Code::kInvalidRequest:
    case Code::kInvalidTopicException:
    case Code::kUnsupportedVersion:
      return Error(ErrorCode::kInvalidArgument, std::move(text));
    case Code::kCorruptMessage:
      return Error(ErrorCode::kCorrupt, std::move(text));
    case Code::kKafkaStorageError:
      return Error(ErrorCode::kIo, std::move(text));  // a disk that is full is one of the reasons: the message tells
    default:
      return Error(ErrorCode::kUnavailable, std::move(text));
  }
}

}  // namespace farshore
