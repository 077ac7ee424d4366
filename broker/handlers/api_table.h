// The APIs that this broker serves.
#pragma once

#include <vector>

#include "broker/net/api_table.h"

namespace farshore::broker {

// The entries for the ApiTable: one per file of this folder, in no particular order.
std::vector<ApiEntry> broker_apis();

}  // namespace farshore::broker
