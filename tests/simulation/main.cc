// simulation: plays seeds, and prints the command that plays a failing one again.
#include <CLI/CLI.hpp>
#include <cinttypes>
#include <cstdio>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

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

std::string check_plant(const std::string& name) {
  std::string known;
  for (const PlantInfo& plant : kPlants) {
    if (plant.name() == name) return "";
    known += "\n  " + std::string(plant.name()) + ": " + plant.words;
  }
  return "no such defect; there are" + known;
}

void declare(CLI::App& app, Arguments& arguments) {
  const auto seeds = [&arguments](const std::string& text) { return parse_seeds(text, arguments); };
  app.add_option("--seed,--seeds", "One seed, or a range FIRST-LAST.")->check(seeds)->type_name("N|A-B");
  app.add_option_function<int64_t>(
         "--seconds", [&arguments](int64_t n) { arguments.run.length = seconds(n); }, "Virtual seconds of each run.")
      ->check(CLI::Range(1, 86'400));
  app.add_flag("--verbose", arguments.run.verbose, "Print every run, not only the failed ones.");
  app.add_option("--hashes", arguments.hashes, "Write the hash of each seed's run to this file.");
  app.add_option("--plant", arguments.run.plant,
                 "Inject this defect (base/plant.h), and stop at the seed that finds it.")
      ->check(check_plant)
      ->type_name("NAME");
  app.add_flag("--lifecycle", arguments.lifecycle,
               "The scenario of two gateways, overlapping verbs, and topics that come and go.");
  app.add_flag("--canary", arguments.canary, "Fails (exit code 1), because the checker finds wrong histories.");
}

// One seed of either scenario, in the words of this program.
struct Played {
  uint64_t hash = 0;
  std::string text;  // of the run
  std::vector<std::string> violations;
};

// Adds up what the runs did. Each scenario counts other things.
class Sums {
 public:
  explicit Sums(bool lifecycle) : lifecycle_(lifecycle) {}

  Played play(const RunOptions& options) { return lifecycle_ ? play_lifecycle(options) : play_link(options); }
  std::string text() const {
    std::string text;
    for (const auto& [what, count] : sums_) text += ", " + std::to_string(count) + " " + what;
    return text;
  }

 private:
  Played play_lifecycle(const RunOptions& options) {
    LifecycleResult result = run_lifecycle(options);
    add({{"batches written", result.written},
         {"verbs answered", result.answers},
         {"faults", result.faults},
         {"topics mirrored at the end", result.active},
         {"topics ended", result.ended},
         {"ranges lost", result.losses},
         {"batches of an intruder", result.intrusions}});
    return {result.hash,
            "steps " + std::to_string(result.steps) + " written " + std::to_string(result.written) + " answers " +
                std::to_string(result.answers) + " faults " + std::to_string(result.faults) + " (" + result.how + ")",
            std::move(result.violations)};
  }
  Played play_link(const RunOptions& options) {
    RunResult result = run_link(options);
    add({{"batches acknowledged", result.acknowledged},
         {"group commits", result.commits},
         {"faults", result.faults},
         {"converged", result.kind == EndKind::kConverge},
         {"promoted", result.kind == EndKind::kPromote},
         {"failed over", result.kind == EndKind::kFailover}});
    return {result.hash,
            "steps " + std::to_string(result.steps) + " acknowledged " + std::to_string(result.acknowledged) +
                " faults " + std::to_string(result.faults) + " (" + result.how + ")",
            std::move(result.violations)};
  }
  void add(std::initializer_list<std::pair<const char*, size_t>> counts) {
    sums_.resize(counts.size());
    size_t at = 0;
    for (const auto& [what, count] : counts) {
      sums_[at].first = what;
      sums_[at++].second += count;
    }
  }

  const bool lifecycle_;
  std::vector<std::pair<std::string, size_t>> sums_;
};

// The command that plays the seed again, without its seed.
std::string command(const Arguments& arguments) {
  return std::string("simulation") + (arguments.lifecycle ? " --lifecycle" : "") +
         (arguments.run.plant.empty() ? "" : " --plant " + arguments.run.plant) + " --seconds " +
         std::to_string(arguments.run.length / seconds(1)) + " --verbose";
}

// How many seeds failed. With an injected defect it ends with the first one.
uint64_t play_all(const Arguments& arguments, std::FILE* hashes) {
  uint64_t failed = 0, played = 0;
  Sums sums(arguments.lifecycle);
  for (uint64_t seed = arguments.first; seed <= arguments.last; ++seed, ++played) {
    RunOptions options = arguments.run;
    options.seed = seed;
    const Played run = sums.play(options);
    if (hashes) std::fprintf(hashes, "%" PRIu64 " %016" PRIx64 "\n", seed, run.hash);
    const bool bad = !run.violations.empty();
    if (bad || options.verbose || arguments.first == arguments.last)
      std::printf("seed %" PRIu64 " hash %016" PRIx64 " %s\n", seed, run.hash, run.text.c_str());
    if (!bad) continue;
    ++failed;
    for (const std::string& text : run.violations) std::printf("  VIOLATION: %s\n", text.c_str());
    std::printf("  again: %s --seed %" PRIu64 "\n", command(arguments).c_str(), seed);
    std::fflush(stdout);
    if (options.plant.empty()) continue;
    std::printf("FOUND %s by seed %" PRIu64 "\n", options.plant.c_str(), seed);
    return failed;
  }
  std::printf("%" PRIu64 " seeds, %" PRIu64 " failed%s\n", played, failed, sums.text().c_str());
  if (!arguments.run.plant.empty()) std::printf("NOT FOUND: %s\n", arguments.run.plant.c_str());
  return failed;
}

// 0: no seed failed; with an injected defect: one did.
int play(const Arguments& arguments) {
  std::FILE* hashes = nullptr;
  if (!arguments.hashes.empty()) {
    hashes = std::fopen(arguments.hashes.c_str(), "w");
    if (!hashes) {
      std::fprintf(stderr, "simulation: cannot write %s\n", arguments.hashes.c_str());
      return 2;
    }
  }
  const bool failed = play_all(arguments, hashes) > 0;
  if (hashes && std::fclose(hashes) != 0) return 2;
  return failed == arguments.run.plant.empty() ? 1 : 0;
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
