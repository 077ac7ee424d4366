// nearest(): which of the known names did somebody mean who wrote another one?
#pragma once

#include <string_view>
#include <vector>

namespace farshore {

// The known name with the smallest edit distance from `name`; the first of several. Empty: no name is known.
std::string_view nearest(std::string_view name, const std::vector<std::string_view>& known);

}  // namespace farshore
