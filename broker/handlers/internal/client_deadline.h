// The deadline of a request that brings its own timeout. That a client is gone is not seen while another of its
// requests lies behind the one that waits. So no request waits longer than kClientWaitMax, whatever its client asked
// for: otherwise its connection would stay for as long.
#pragma once

#include <algorithm>

#include "base/env.h"

namespace farshore::broker {

inline constexpr Duration kClientWaitMax = minutes(5);

inline Deadline client_deadline(Env& env, int32_t timeout_ms) {
  return env.in(std::min<Duration>(milliseconds(timeout_ms), kClientWaitMax));
}

}  // namespace farshore::broker
