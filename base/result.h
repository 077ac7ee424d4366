// Result<T>: a value or an Error. No exception crosses a room; what RocksDB, gRPC, OpenSSL or Asio throw or return
// becomes an Error at the edge where it appears.
#pragma once

#include <boost/system/result.hpp>
#include <string>
#include <string_view>
#include <utility>

namespace farshore {

// A code exists only if some caller reacts to exactly that one. Kafka's wire codes are a separate enum (proto/kafka).
enum class ErrorCode : uint8_t {
  kNone = 0,
  kTimedOut,         // the deadline passed; the operation may or may not have happened
  kClosed,           // the object, or the process around it, is shutting down
  kUnavailable,      // a peer cannot be reached or refused for now: retry later
  kConnectionReset,  // the peer ended the connection
  kTruncated,        // more bytes are needed
  kCorrupt,          // bytes that can never become valid: do not retry
  kInvalidArgument,  // the caller asked for something impossible; `detail` says what would be possible
  kNotFound,
  kAlreadyExists,
  kPermissionDenied,
  kOutOfRange,  // an offset or position outside what exists
  kConflict,    // a compare-and-set lost; re-read and decide
  kAmbiguous,   // applied or not: re-read decides
  kFenced,      // somebody newer owns this; stop for good
  kNoSpace,     // the disk is full; nothing was half-applied
  kIo,          // the disk failed: never retry on the same file, never acknowledge
  kUnsupported,
  kResourceExhausted,  // a named limit was reached
  kInternal,
};

std::string_view error_name(ErrorCode code);
// True if the same call may succeed later without anybody changing anything.
bool error_retriable(ErrorCode code);

struct Error {
  ErrorCode code = ErrorCode::kNone;
  std::string detail;  // for a person: what was wrong, where, what to do

  Error() = default;
  Error(ErrorCode c, std::string d = {}) : code(c), detail(std::move(d)) {}  // NOLINT: an Error is a code with words
  // The same error, with where it happened put in front.
  Error in(std::string_view where) const;
  std::string to_string() const;
  friend bool operator==(const Error& a, ErrorCode b) { return a.code == b; }
};

// Called by Result::value() on an error: a broken expectation of ours, so it ends the process with the text.
[[noreturn]] void throw_exception_from_error(const Error& error, const boost::source_location& where);

template <class T>
using Result = boost::system::result<T, Error>;
using Status = Result<void>;

// For Result<void>: `return ok();`
inline Status ok() { return {}; }

// FARSHORE_TRY(auto x, expr): x = value of expr, or returns its error. CO_TRY: the same inside a coroutine.
#define FARSHORE_CONCAT_(a, b) a##b
#define FARSHORE_CONCAT(a, b) FARSHORE_CONCAT_(a, b)
#define FARSHORE_TRY_(tmp, decl, expr)     \
  auto tmp = (expr);                       \
  if (!tmp) return std::move(tmp).error(); \
  decl = std::move(tmp).value()
#define FARSHORE_TRY(decl, expr) FARSHORE_TRY_(FARSHORE_CONCAT(try_, __LINE__), decl, expr)
#define FARSHORE_CHECK(expr)                                                               \
  do {                                                                                     \
    if (auto check_status = (expr); !check_status) return std::move(check_status).error(); \
  } while (0)
#define CO_TRY_(tmp, decl, expr)              \
  auto tmp = (expr);                          \
  if (!tmp) co_return std::move(tmp).error(); \
  decl = std::move(tmp).value()
#define CO_TRY(decl, expr) CO_TRY_(FARSHORE_CONCAT(try_, __LINE__), decl, expr)
#define CO_CHECK(expr)                                            \
  do {                                                            \
    auto check_status = (expr);                                   \
    if (!check_status) co_return std::move(check_status).error(); \
  } while (0)

}  // namespace farshore
