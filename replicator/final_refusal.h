// Refusals of the target that asking again cannot cure.
#pragma once

#include "base/result.h"

namespace farshore::replicator {

// `refusals`: so often it was asked before. Some refusals are final only after a while: a broker that has just started,
// or whose rights are being changed, may say them for a moment.
bool is_final_refusal(ErrorCode code, int refusals);

}  // namespace farshore::replicator
