// Refusal: an error as a Kafka response carries it, for one topic, partition or config: Kafka's code, and a message for
// the person who sent the request. A default-constructed Refusal means that the request is accepted.
#pragma once

#include <string>

#include "proto/kafka/error_code.h"

namespace farshore::kafka {

struct Refusal {
  ErrorCode code = ErrorCode::kNone;
  std::string message;  // may be empty: then the client shows the text of the code
  explicit operator bool() const { return code != ErrorCode::kNone; }
};

}  // namespace farshore::kafka
