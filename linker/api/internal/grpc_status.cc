#include "linker/api/internal/grpc_status.h"

#include "linker/printable.h"

namespace farshore::linker {

grpc::Status to_grpc(const Error& error) {
  using Code = grpc::StatusCode;
  Code code = Code::INTERNAL;
  switch (error.code) {
    case ErrorCode::kInvalidArgument:
      code = Code::INVALID_ARGUMENT;
      break;
    case ErrorCode::kNotFound:
      code = Code::NOT_FOUND;
      break;
    case ErrorCode::kAlreadyExists:
      code = Code::ALREADY_EXISTS;
      break;
    case ErrorCode::kPermissionDenied:
      code = Code::PERMISSION_DENIED;
      break;
    case ErrorCode::kUnsupported:
      code = Code::UNIMPLEMENTED;
      break;
    case ErrorCode::kOutOfRange:
      code = Code::OUT_OF_RANGE;
      break;
    case ErrorCode::kResourceExhausted:
      code = Code::RESOURCE_EXHAUSTED;
      break;
    case ErrorCode::kConflict:
    case ErrorCode::kFenced:
    case ErrorCode::kAmbiguous:
      code = Code::ABORTED;
      break;
    // Not UNAVAILABLE, which would mean that the gateway itself cannot be reached.
    case ErrorCode::kUnavailable:
    case ErrorCode::kTimedOut:
    case ErrorCode::kConnectionReset:
      code = Code::FAILED_PRECONDITION;
      break;
    default:
      break;
  }
  return {code, error.detail.empty() ? std::string(error_name(error.code)) : printable(error.to_string())};
}

}  // namespace farshore::linker
