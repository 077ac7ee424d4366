// Result<T>: a value or an Error. No exception crosses a room; what RocksDB, gRPC, OpenSSL or Asio throw or return
// becomes an Error at the edge where it appears.
#pragma once

#include <cstdint>
#include <new>
#include <source_location>
#include <string>
#include <string_view>
#include <type_traits>
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

namespace detail {
[[noreturn]] void end_by_failed_value(const Error& error, const std::source_location& where);
extern const Error kNoError;
}  // namespace detail

// A T, or the Error that came instead. Like std::expected, which our compilers do not have; a plain union, because
// each of some hundred instances is compiled in dozens of files (docs/decisions/0002-build-time.md).
// Precondition of *, -> and value(): has_value(). value() checks it and ends the process with the error's text.
// error() of a success is Error(), with ErrorCode::kNone.
template <class T>
class [[nodiscard]] Result {
 public:
  using value_type = T;

  Result()
    requires std::is_default_constructible_v<T>
      : value_(), has_value_(true) {}
  template <class U = T>
    requires(std::is_convertible_v<U &&, T> && !std::is_same_v<std::remove_cvref_t<U>, Result> &&
             !std::is_same_v<std::remove_cvref_t<U>, Error>)
  Result(U&& value) : value_(std::forward<U>(value)), has_value_(true) {}  // NOLINT: a success is its value
  Result(Error error) : error_(std::move(error)), has_value_(false) {}     // NOLINT: a failure is its error
  Result(const Result& other)
    requires std::is_copy_constructible_v<T>
      : has_value_(other.has_value_) {
    if (has_value_)
      new (&value_) T(other.value_);
    else
      new (&error_) Error(other.error_);
  }
  Result(Result&& other) noexcept : has_value_(other.has_value_) {
    if (has_value_)
      new (&value_) T(std::move(other.value_));
    else
      new (&error_) Error(std::move(other.error_));
  }
  Result& operator=(Result other) noexcept {
    this->~Result();
    new (this) Result(std::move(other));
    return *this;
  }
  ~Result() {
    if (has_value_)
      value_.~T();
    else
      error_.~Error();
  }

  bool has_value() const { return has_value_; }
  explicit operator bool() const { return has_value_; }
  T& operator*() & { return value_; }
  const T& operator*() const& { return value_; }
  T operator*() && { return std::move(value_); }
  T* operator->() { return &value_; }
  const T* operator->() const { return &value_; }
  T& value(const std::source_location& where = std::source_location::current()) & {
    check(where);
    return value_;
  }
  const T& value(const std::source_location& where = std::source_location::current()) const& {
    check(where);
    return value_;
  }
  // By value, so that what a loop or a reference binds to outlives the temporary Result.
  T value(const std::source_location& where = std::source_location::current()) && {
    check(where);
    return std::move(value_);
  }
  const Error& error() const& { return has_value_ ? detail::kNoError : error_; }
  Error error() && { return has_value_ ? Error() : std::move(error_); }

 private:
  void check(const std::source_location& where) const {
    if (!has_value_) detail::end_by_failed_value(error_, where);
  }
  union {
    T value_;
    Error error_;
  };
  bool has_value_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;
  Result() = default;
  Result(Error error) : error_(std::move(error)), has_value_(false) {}  // NOLINT: a failure is its error
  bool has_value() const { return has_value_; }
  explicit operator bool() const { return has_value_; }
  void value(const std::source_location& where = std::source_location::current()) const {
    if (!has_value_) detail::end_by_failed_value(error_, where);
  }
  const Error& error() const& { return error_; }
  Error error() && { return std::move(error_); }

 private:
  Error error_;
  bool has_value_ = true;
};

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
