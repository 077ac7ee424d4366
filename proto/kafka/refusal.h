// Refusal: a request, or one item of it, that a broker does not carry out: Kafka's code and a text for the client.
#pragma once

#include <string>

#include "proto/kafka/error_code.h"

namespace farshore::kafka {

struct Refusal {
  ErrorCode code = ErrorCode::kNone;  // kNone: not refused
  std::string message;
  explicit operator bool() const { return code != ErrorCode::kNone; }
};

}  // namespace farshore::kafka
