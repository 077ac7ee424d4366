// An error code as the messages carry it.
#pragma once

#include <cstdint>

#include "proto/kafka/error_code.h"

namespace farshore::kafka {

inline int16_t wire(ErrorCode code) { return static_cast<int16_t>(code); }

}  // namespace farshore::kafka
