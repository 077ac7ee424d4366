// BuildInfo: which build a program is. Shown by --version and by the metric farshore_build_info.
#pragma once

#include <string>
#include <string_view>

#include "base/metrics.h"

namespace farshore::program {

struct BuildInfo {
  std::string_view version;   // of the project, as 0.1.0
  std::string_view commit;    // 12 digits, with "-dirty" if the tree had changes; "unknown" without git
  std::string_view compiler;  // as "g++ 12.2.0"
  std::string_view type;      // of CMake: Release, Debug, ...
};
const BuildInfo& build_info();

// The text of --version: three lines, and a fourth one with `speaks`, the APIs and their versions.
std::string version_text(std::string_view program, std::string_view speaks);

// farshore_build_info{version, commit} is 1.
void publish_build_info(MetricRegistry& metrics);

}  // namespace farshore::program
