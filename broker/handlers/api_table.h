// The APIs that this broker serves.
#pragma once

#include <vector>

#include "broker/net/api_table.h"

namespace farshore::broker {

// One entry per file of this folder, in no particular order: what an ApiTable is made of.
std::vector<ApiEntry> broker_apis();

}  // namespace farshore::broker
