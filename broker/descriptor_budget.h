// DescriptorBudget: who may have how many of a broker's file descriptors. Each of the two that clients can make grow,
// connections and files of logs, has a part of its own, so that neither takes the other's.
#pragma once

#include <cstddef>

#include "base/result.h"

namespace farshore::broker {

struct DescriptorBudget {
  static constexpr size_t kOthers = 128;  // metadata, listeners, HTTP, directories that are listed or synced
  static constexpr size_t kMin = 256;     // of a broker; with fewer it does not start

  // The files of logs that are open at a time (FileCache). A response that is being sent may hold one file more for
  // its connection, so this part is not smaller than that of the connections.
  size_t log_files = 0;
  size_t connections = 0;

  // kInvalidArgument: `allowed` (max.open.files) is too small.
  static Result<DescriptorBudget> divide(size_t allowed);
};

}  // namespace farshore::broker
