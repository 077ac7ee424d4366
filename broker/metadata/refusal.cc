#include "broker/metadata/refusal.h"

namespace farshore::broker {

Refusal refusal_of(const Error& error) { return {kafka_error(error), error.to_string()}; }

kafka::ErrorCode kafka_error(const Error& error) {
  using Code = kafka::ErrorCode;
  switch (error.code) {
    case ErrorCode::kNone:
      return Code::kNone;
    case ErrorCode::kTimedOut:
    case ErrorCode::kAmbiguous:
    case ErrorCode::kUnavailable:
      return Code::kRequestTimedOut;
    case ErrorCode::kClosed:  // stopping, or the partition is being deleted: look again
      return Code::kNotLeaderOrFollower;
    case ErrorCode::kCorrupt:
      return Code::kCorruptMessage;
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kUnsupported:
      return Code::kInvalidRequest;
    case ErrorCode::kNotFound:
      return Code::kUnknownTopicOrPartition;
    case ErrorCode::kAlreadyExists:
      return Code::kTopicAlreadyExists;
    case ErrorCode::kPermissionDenied:
      return Code::kClusterAuthorizationFailed;
    case ErrorCode::kOutOfRange:
      return Code::kOffsetOutOfRange;
    case ErrorCode::kFenced:
      return Code::kFencedLeaderEpoch;
    case ErrorCode::kNoSpace:
    case ErrorCode::kIo:
      return Code::kKafkaStorageError;
    case ErrorCode::kResourceExhausted:
      return Code::kPolicyViolation;
    case ErrorCode::kConnectionReset:
    case ErrorCode::kTruncated:
    case ErrorCode::kConflict:
    case ErrorCode::kInternal:
      break;
  }
  return Code::kUnknownServerError;
}

}  // namespace farshore::broker
