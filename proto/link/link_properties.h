// The properties of a link that an operator may change, as in `link update --set key=value`.
#pragma once

#include <string>

#include "base/config.h"
#include "proto/link/link_spec.h"

namespace farshore {

// Every property, with its default and meaning.
const ConfigSchema& link_property_schema();

// Sets one property of `spec` and checks the whole. kInvalidArgument: the key is unknown (the detail names the nearest
// one and lists all), the property cannot change after creation, or the value is not allowed.
Status set_property(LinkSpec& spec, const std::string& key, const std::string& value);

}  // namespace farshore
