// spec_of(): checks a `link create` request and makes the LinkSpec of it. Pure, no I/O.
#pragma once

#include <vector>

#include "proto/control/control.pb.h"
#include "proto/link/link_spec.h"

namespace farshore::linker {

// kInvalidArgument: an unknown mode, an address that is none, a property that a link cannot have.
Result<LinkSpec> spec_of(const control::v1::LinkSpec& from, const std::vector<Endpoint>& default_target);

}  // namespace farshore::linker
