#include "replicator/final_refusal.h"

namespace farshore::replicator {

bool is_final_refusal(ErrorCode code, int refusals) {
  constexpr int kRefusalsMax = 8;  // some seconds, with the backoff between control requests
  switch (code) {
    case ErrorCode::kFenced:
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kOutOfRange:
    case ErrorCode::kUnsupported:
      return true;
    case ErrorCode::kPermissionDenied:
    case ErrorCode::kNotFound:
    case ErrorCode::kInternal:
      return refusals >= kRefusalsMax;
    default:
      return false;
  }
}

}  // namespace farshore::replicator
