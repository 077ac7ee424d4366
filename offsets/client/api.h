// Shared by all public headers of libfarshore: the export mark and Problem, which reports failures.
// Public headers include only the standard library: nothing of Boost or librdkafka.
#pragma once

#include <string>

#define FARSHORE_API __attribute__((visibility("default")))

namespace farshore {

// Why a call failed. Converts to false if it succeeded.
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
  std::string text;  // for people
  explicit operator bool() const { return kind != Kind::kNone; }
};

}  // namespace farshore
