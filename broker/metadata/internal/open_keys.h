// The keys of the metadata store that are not the broker's own: those under "link/" (the gateway's, through LinkState),
// and "producer_ids". Others may read and write these, and nothing else.
#pragma once

#include <string>

#include "base/meta_store.h"

namespace farshore::broker {

// kInvalidArgument: a key of it is not open.
Status check_open_range(const std::string& begin, const std::string& end);
Status check_open_writes(const MetaTxn& txn);

}  // namespace farshore::broker
