// Readiness: has a gateway, or a link of it, come to where `farshore wait` wants it? Judged from the gateway's own
// status. No I/O.
#pragma once

#include <string>

#include "proto/control/control.pb.h"

namespace farshore::cli {

struct Readiness {
  enum class State : uint8_t { kReady, kNotYet, kNever };  // kNever: waiting does not help, somebody has to act
  State state = State::kReady;
  std::string missing;  // in words; empty: nothing
};

// The gateway has taken the stored links over.
Readiness gateway_readiness(const control::v1::StatusReply& status);
// The gateway is ready, and every mirror topic of the link has all that its source had `asked_ms_ago` milliseconds ago.
// Topics that have ended count as ready. `status` is of this link alone.
Readiness link_readiness(const control::v1::StatusReply& status, const std::string& link, int64_t asked_ms_ago);

}  // namespace farshore::cli
