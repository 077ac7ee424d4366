// simulation: plays seeds, and prints the command that plays a failing one again.
#include <CLI/CLI.hpp>
#include <array>
#include <cinttypes>
#include <cstdio>
#include <string>

#include "tests/simulation/canary.h"
#include "tests/simulation/lifecycle_scenario.h"
#include "tests/simulation/link_scenario.h"

namespace farshore::simulation {
namespace {

struct Arguments {
  RunOptions run;
  uint64_t first = 1, last = 1;
  bool canary = false, lifecycle = false;
  std::string hashes;
};

// "7" or "1-500".
std::string parse_seeds(const std::string& text, Arguments& arguments) {
  const size_t dash = text.find('-');
  const auto number = [](const std::string& digits, uint64_t& to) { return CLI::detail::lexical_cast(digits, to); };
  if (!number(text.substr(0, dash), arguments.first)) return "a seed is a number, a range is FIRST-LAST";
  arguments.last = arguments.first;
  if (dash != std::string::npos && !number(text.substr(dash + 1), arguments.last))
    return "a range of seeds is FIRST-LAST";
  return arguments.first <= arguments.last ? "" : "the first seed of a range is not above the last";
}

void declare(CLI::App& app, Arguments& arguments) {
  const auto seeds = [&arguments](const std::string& text) { return parse_seeds(text, arguments); };
  app.add_option("--seed,--seeds", "One seed, or a range FIRST-LAST.")->check(seeds)->type_name("N|A-B");
  app.add_option_function<int64_t>(
         "--seconds", [&arguments](int64_t n) { arguments.run.length = seconds(n); }, "Virtual seconds of each run.")
      ->check(CLI::Range(1, 86'400));
  app.add_flag("--verbose", arguments.run.verbose, "Print every run, not only the failed ones.");
  app.add_option("--hashes", arguments.hashes, "Write the hash of each seed's run to this file.");
  app.add_flag("--plant-resume-from-memory", arguments.run.plant_resume_from_memory,
               "Injected defect: the pump trusts its memory. It must be found.");
  app.add_flag("--plant-high-watermark-before-truncation", arguments.run.plant_high_watermark_before_truncation,
               "Injected defect: the log raises the high watermark before it truncates. It must be found.");
  app.add_flag("--lifecycle", arguments.lifecycle,
               "The scenario of two gateways, overlapping verbs, and topics that come and go.");
  app.add_flag("--canary", arguments.canary, "Fails (exit code 1), because the checker finds wrong histories.");
}

int play_lifecycle(const Arguments& arguments, std::FILE* hashes) {
  uint64_t failed = 0;
  size_t written = 0, answers = 0, faults = 0, active = 0, ended = 0;
  for (uint64_t seed = arguments.first; seed <= arguments.last; ++seed) {
    RunOptions options = arguments.run;
    options.seed = seed;
    const LifecycleResult result = run_lifecycle(options);
    written += result.written;
    answers += result.answers;
    faults += result.faults;
    active += result.active;
    ended += result.ended;
    if (hashes) std::fprintf(hashes, "%" PRIu64 " %016" PRIx64 "\n", seed, result.hash);
    const bool bad = !result.violations.empty();
    if (bad || options.verbose || arguments.first == arguments.last)
      std::printf("seed %" PRIu64 " hash %016" PRIx64 " steps %" PRIu64 " written %zu answers %zu faults %zu (%s)\n",
                  seed, result.hash, result.steps, result.written, result.answers, result.faults, result.how.c_str());
    if (!bad) continue;
    ++failed;
    for (const std::string& text : result.violations) std::printf("  VIOLATION: %s\n", text.c_str());
    std::printf("  again: simulation --lifecycle --seed %" PRIu64 " --seconds %lld --verbose\n", seed,
                static_cast<long long>(options.length / seconds(1)));
    std::fflush(stdout);
  }
  std::printf("%" PRIu64 " seeds, %" PRIu64
              " failed, %zu batches written, %zu verbs answered, %zu faults, %zu topics mirrored "
              "at the end, %zu ended\n",
              arguments.last - arguments.first + 1, failed, written, answers, faults, active, ended);
  return failed == 0 ? 0 : 1;
}

int play(const Arguments& arguments) {
  std::FILE* hashes = nullptr;
  if (!arguments.hashes.empty()) {
    hashes = std::fopen(arguments.hashes.c_str(), "w");
    if (!hashes) {
      std::fprintf(stderr, "simulation: cannot write %s\n", arguments.hashes.c_str());
      return 2;
    }
  }
  if (arguments.lifecycle) {
    const int code = play_lifecycle(arguments, hashes);
    return hashes && std::fclose(hashes) != 0 ? 2 : code;
  }
  uint64_t failed = 0, acknowledged = 0, commits = 0, faults = 0;
  std::array<uint64_t, 3> kinds{};
  for (uint64_t seed = arguments.first; seed <= arguments.last; ++seed) {
    RunOptions options = arguments.run;
    options.seed = seed;
    const RunResult result = run_link(options);
    acknowledged += result.acknowledged;
    commits += result.commits;
    faults += result.faults;
    ++kinds[static_cast<size_t>(result.kind)];
    if (hashes) std::fprintf(hashes, "%" PRIu64 " %016" PRIx64 "\n", seed, result.hash);
    const bool bad = !result.violations.empty();
    if (bad || options.verbose || arguments.first == arguments.last)
      std::printf("seed %" PRIu64 " hash %016" PRIx64 " steps %" PRIu64 " acknowledged %zu faults %zu (%s)\n", seed,
                  result.hash, result.steps, result.acknowledged, result.faults, result.how.c_str());
    if (!bad) continue;
    ++failed;
    for (const std::string& text : result.violations) std::printf("  VIOLATION: %s\n", text.c_str());
    std::printf("  again: simulation --seed %" PRIu64 " --seconds %lld%s --verbose\n", seed,
                static_cast<long long>(options.length / seconds(1)),
                options.plant_resume_from_memory                 ? " --plant-resume-from-memory"
                : options.plant_high_watermark_before_truncation ? " --plant-high-watermark-before-truncation"
                                                                 : "");
    std::fflush(stdout);
  }
  std::printf("%" PRIu64 " seeds (%" PRIu64 " converged, %" PRIu64 " promoted, %" PRIu64 " failed over), %" PRIu64
              " failed, %" PRIu64 " batches acknowledged, %" PRIu64 " group commits, %" PRIu64 " faults\n",
              arguments.last - arguments.first + 1, kinds[0], kinds[1], kinds[2], failed, acknowledged, commits,
              faults);
  if (hashes && std::fclose(hashes) != 0) return 2;
  return failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace farshore::simulation

int main(int argc, char** argv) {
  farshore::simulation::Arguments arguments;
  CLI::App app("Plays seeds of a simulated link. Prints the command that plays a failing seed again.", "simulation");
  farshore::simulation::declare(app, arguments);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (arguments.canary) return farshore::simulation::run_canary(arguments.run, arguments.first);
  return farshore::simulation::play(arguments);
}
