#include "base/result.h"

#include <cstdio>
#include <cstdlib>

namespace farshore {
namespace {

struct ErrorInfo {
  ErrorCode code;
  std::string_view name;
  bool retriable;
};

constexpr ErrorInfo kErrors[] = {
    {ErrorCode::kNone, "none", false},
    {ErrorCode::kTimedOut, "timed out", true},
    {ErrorCode::kClosed, "closed", false},
    {ErrorCode::kUnavailable, "unavailable", true},
    {ErrorCode::kConnectionReset, "connection reset", true},
    {ErrorCode::kTruncated, "truncated", false},
    {ErrorCode::kCorrupt, "corrupt", false},
    {ErrorCode::kInvalidArgument, "invalid argument", false},
    {ErrorCode::kNotFound, "not found", false},
    {ErrorCode::kAlreadyExists, "already exists", false},
    {ErrorCode::kPermissionDenied, "permission denied", false},
    {ErrorCode::kOutOfRange, "out of range", false},
    {ErrorCode::kConflict, "conflict", false},
    {ErrorCode::kAmbiguous, "ambiguous result", false},
    {ErrorCode::kFenced, "fenced", false},
    {ErrorCode::kNoSpace, "no space left", false},
    {ErrorCode::kIo, "disk error", false},
    {ErrorCode::kUnsupported, "unsupported", false},
    {ErrorCode::kResourceExhausted, "limit reached", true},
    {ErrorCode::kInternal, "internal error", false},
};

const ErrorInfo& info(ErrorCode code) {
  for (const auto& entry : kErrors)
    if (entry.code == code) return entry;
  return kErrors[0];
}

}  // namespace

std::string_view error_name(ErrorCode code) { return info(code).name; }
bool error_retriable(ErrorCode code) { return info(code).retriable; }

Error Error::in(std::string_view where) const {
  std::string text(where);
  if (!detail.empty()) text.append(": ").append(detail);
  return {code, std::move(text)};
}

std::string Error::to_string() const {
  std::string text(error_name(code));
  if (!detail.empty()) text.append(": ").append(detail);
  return text;
}

namespace detail {

const Error kNoError;

void end_by_failed_value(const Error& error, const std::source_location& where) {
  std::fprintf(stderr, "farshore: value() of a failed Result (%s) at %s:%u\n", error.to_string().c_str(),
               where.file_name(), static_cast<unsigned>(where.line()));
  std::abort();
}

}  // namespace detail

}  // namespace farshore
