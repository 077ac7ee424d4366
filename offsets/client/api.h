// What every public header of libfarshore shares: the export mark, and how failures are told.
// Nothing of Boost, Asio or librdkafka is in a public header.
#pragma once

#include <string>

#define FARSHORE_API __attribute__((visibility("default")))

namespace farshore {

// Why a call did not do what was asked. False in a condition: it did.
struct Problem {
  enum class Kind {
    kNone = 0,
    kInvalid,      // the arguments or the configuration; the text says what would be right
    kUnavailable,  // a cluster cannot be reached, or a deadline passed: call again later
    kOutOfRange,   // an offset past what the mirror holds, or ever will
    kNotMirrored,  // the target has no mirror of this topic or partition
    kClosed,       // close() was called
    kFailed,       // refused by a cluster, or by librdkafka; calling again does not help by itself
  };
  Kind kind = Kind::kNone;
  std::string text;  // for a person
  explicit operator bool() const { return kind != Kind::kNone; }
};

}  // namespace farshore
