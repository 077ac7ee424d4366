// Problem: why a call of libfarshore failed. The C functions hand it to the application as a result code and
// farshore_last_error().
#pragma once

#include <cstdint>
#include <string>
#include <utility>

namespace farshore::client {

// Converts to false if the call succeeded.
struct Problem {
  enum class Kind {
    kNone = 0,
    kInvalid,      // wrong arguments or configuration; the text says what is allowed
    kUnavailable,  // a cluster cannot be reached, or a timeout passed: call again later
    kOutOfRange,   // an offset that the mirror does not hold, and perhaps never will
    kNotMirrored,  // the target has no mirror of this topic or partition
    kClosed,       // close() was called
    kFailed,       // a cluster or librdkafka refused; a second call alone does not help
  };
  Kind kind = Kind::kNone;
  std::string text;        // for people
  int16_t kafka_code = 0;  // the error code of a Kafka broker, if one refused
  bool fatal = false;      // this object will never succeed again: close it

  Problem() = default;
  Problem(Kind why, std::string words, int16_t code = 0) : kind(why), text(std::move(words)), kafka_code(code) {}
  explicit operator bool() const { return kind != Kind::kNone; }
  // The same call may succeed later without anybody changing anything.
  bool retriable() const { return kind == Kind::kUnavailable; }
};

}  // namespace farshore::client
