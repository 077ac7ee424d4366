// Refusal of a change whose request has no time left, or brought none. Kafka's controller makes no such change, and
// answers not even what else is wrong with it.
#pragma once

#include "base/env.h"
#include "broker/metadata/refusal.h"

namespace farshore::broker {

inline Refusal refuse_out_of_time(Env& env, Deadline deadline) {
  if (!deadline.passed(env.now())) return {};
  return {kafka::ErrorCode::kRequestTimedOut, "nothing was changed: the request's timeout is over"};
}

}  // namespace farshore::broker
