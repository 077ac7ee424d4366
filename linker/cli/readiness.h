// Readiness: has a gateway, or a link of it, come to where `farshore wait` wants it? Judged from the gateway's own
// status. No I/O.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
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
// The gateway is ready, the link has looked for topics and partitions of its source less than `asked_ms_ago`
// milliseconds ago, and every mirror topic has all that its source had then. Topics that have ended or are LEFT_OUT
// keep nobody waiting. `status` is of this link alone.
Readiness link_readiness(const control::v1::StatusReply& status, const std::string& link, int64_t asked_ms_ago);

// One look at a gateway: asks it, and judges its answer. `link` empty: gateway_readiness().
struct ReadinessLook {
  using Elapsed = std::function<std::chrono::milliseconds()>;  // since the command began
  // nullopt: no answer, and `missing` says why.
  using Ask = std::function<std::optional<control::v1::StatusReply>(std::string& missing)>;

  std::optional<control::v1::StatusReply> status;
  Readiness readiness;
};
ReadinessLook look_at_gateway(const std::string& link, const ReadinessLook::Elapsed& elapsed,
                              const ReadinessLook::Ask& ask);

}  // namespace farshore::cli
