#include "base/program/build_info.h"

#include "commit.h"

namespace farshore::program {

const BuildInfo& build_info() {
#ifdef __clang__
  static const BuildInfo info{FARSHORE_VERSION, FARSHORE_COMMIT, "clang " __clang_version__, FARSHORE_BUILD_TYPE};
#else
  static const BuildInfo info{FARSHORE_VERSION, FARSHORE_COMMIT, "g++ " __VERSION__, FARSHORE_BUILD_TYPE};
#endif
  return info;
}

std::string version_text(std::string_view program, std::string_view speaks) {
  const BuildInfo& info = build_info();
  std::string text;
  auto line = [&text](std::string_view name, std::string_view value) {
    text.append(text.empty() ? "" : "\n").append(name).append(" ").append(value);
  };
  line(program, info.version);
  line("commit: ", info.commit);
  line("built:  ", std::string(info.type) + ", " + std::string(info.compiler));
  line("speaks: ", speaks);
  return text;
}

void publish_build_info(MetricRegistry& metrics) {
  const BuildInfo& info = build_info();
  metrics
      .gauge("farshore_build_info", "Always 1; the labels say which build runs.",
             {{"version", std::string(info.version)}, {"commit", std::string(info.commit)}})
      .set(1);
}

}  // namespace farshore::program
