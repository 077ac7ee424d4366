// Problem: why a call of libfarshore failed. Header only, on top of farshore.h.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <string>

#include "farshore/farshore.h"

namespace farshore {

// Converts to false if the call succeeded.
struct Problem {
  enum class Kind {
    kNone = 0,
    kInvalid = FARSHORE_INVALID,           // wrong arguments or configuration; the text says what is allowed
    kUnavailable = FARSHORE_UNAVAILABLE,   // a cluster cannot be reached, or a timeout passed: call again later
    kOutOfRange = FARSHORE_OUT_OF_RANGE,   // an offset that the mirror does not hold, and perhaps never will
    kNotMirrored = FARSHORE_NOT_MIRRORED,  // the target has no mirror of this topic or partition
    kClosed = FARSHORE_CLOSED,             // close() was called
    kFailed = FARSHORE_FAILED,             // a cluster or librdkafka refused; a second call alone does not help
  };
  Kind kind = Kind::kNone;
  std::string text;        // for people
  int kafka_code = 0;      // the error code of a Kafka broker, if one refused
  bool retriable = false;  // the same call may succeed later without anybody changing anything
  bool fatal = false;      // this object will never succeed again: close it
  explicit operator bool() const { return kind != Kind::kNone; }
};

namespace detail {

// Of a result of farshore.h.
inline Problem problem_of(int64_t result) {
  Problem out;
  if (result >= 0) return out;
  out.kind = static_cast<Problem::Kind>(result);
  out.text = farshore_last_error();
  out.kafka_code = farshore_last_error_kafka_code();
  out.retriable = farshore_last_error_retriable() != 0;
  out.fatal = farshore_last_error_fatal() != 0;
  return out;
}

inline int milliseconds_of(std::chrono::milliseconds time) {
  using Limits = std::numeric_limits<int>;
  return static_cast<int>(std::clamp<int64_t>(time.count(), Limits::min(), Limits::max()));
}

struct Config {
  Config() : handle(farshore_config_new()) {}
  ~Config() { farshore_config_free(handle); }
  Config(const Config&) = delete;
  Config& operator=(const Config&) = delete;
  void set(const std::string& name, const std::string& value, Problem& problem) {
    if (!problem) problem = problem_of(farshore_config_set(handle, name.c_str(), value.c_str()));
  }
  farshore_config* handle;
};

}  // namespace detail
}  // namespace farshore
