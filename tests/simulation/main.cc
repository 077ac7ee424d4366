// simulation: plays seeds, tells the first command that plays a failing one again.
#include <array>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "tests/simulation/link_scenario.h"

namespace farshore::simulation {
namespace {

constexpr const char* kUsage =
    "simulation --seed N | --seeds A-B [--seconds 20] [--verbose] [--hashes FILE]\n"
    "simulation ... --plant-resume-from-memory     with a bug that must be found\n"
    "simulation ... --plant-high-watermark-before-truncation     with another\n"
    "simulation --canary [--seed N]     fails, because the checker finds wrong histories\n";

struct Arguments {
  RunOptions run;
  uint64_t first = 1, last = 1;
  bool canary = false;
  std::string hashes;
};

bool parse(int argc, char** argv, Arguments& arguments) {
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    if (flag == "--canary") {
      arguments.canary = true;
      continue;
    }
    if (flag == "--verbose") {
      arguments.run.verbose = true;
      continue;
    }
    if (flag == "--plant-resume-from-memory") {
      arguments.run.plant_resume_from_memory = true;
      continue;
    }
    if (flag == "--plant-high-watermark-before-truncation") {
      arguments.run.plant_high_watermark_before_truncation = true;
      continue;
    }
    if (++i == argc) return false;
    char* rest = argv[i];
    if (flag == "--hashes") {
      arguments.hashes = rest;
      continue;
    }
    const uint64_t number = std::strtoull(argv[i], &rest, 10);
    if (rest == argv[i]) return false;
    if (flag == "--seed")
      arguments.first = arguments.last = number;
    else if (flag == "--seeds" && *rest == '-')
      arguments.first = number, arguments.last = std::strtoull(rest + 1, &rest, 10);
    else if (flag == "--seconds" && number > 0 && number <= 86'400)
      arguments.run.length = seconds(static_cast<int64_t>(number));
    else
      return false;
    if (*rest != 0) return false;
  }
  return arguments.first <= arguments.last;
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

// Takes a good run and lies about it, in one way each. 1: every lie was found. 0: the checker is blind, or the run it
// starts from is bad.
int canary(const Arguments& arguments) {
  RunOptions options = arguments.run;
  options.seed = arguments.first;
  RunResult good = run_link(options);
  while (good.kind != EndKind::kConverge && good.violations.empty()) {  // the lies are about a converged run
    ++options.seed;
    good = run_link(options);
  }
  if (!good.violations.empty() || good.acknowledged == 0 || good.end.empty()) {
    std::printf("seed %" PRIu64 " is no good run to begin with\n", options.seed);
    return 0;
  }
  size_t longest = 0;
  for (size_t i = 0; i < good.end.size(); ++i)
    if (good.end[i].source.size() > good.end[longest].source.size()) longest = i;
  const auto batches = batches_of(good.end[longest].source);
  if (batches.size() < 2) return 0;
  const auto partition = static_cast<int32_t>(longest);
  int blind = 0;
  auto expect = [&](const char* lie, History history, std::vector<PartitionState> end) {
    history.check_end(end, false);
    const bool found = !history.violations().empty();
    std::printf("%s: %s\n", lie, found ? history.violations().front().c_str() : "NOT FOUND");
    if (!found) ++blind;
  };
  {
    History history = good.history;
    history.acknowledged(partition, batches.back().next, 1);
    expect("an acknowledged batch that is nowhere", history, good.end);
  }
  {
    auto end = good.end;
    end[longest].mirror.back() = static_cast<char>(end[longest].mirror.back() ^ 1);
    expect("one bit of the mirror", good.history, end);
  }
  {
    auto end = good.end;
    for (auto& state : end) state.source.clear(), state.mirror.clear();
    expect("both logs are empty", good.history, end);
  }
  {
    auto end = good.end;
    end[longest].source += end[longest].source;
    end[longest].mirror = end[longest].source;
    expect("every batch twice", good.history, end);
  }
  {
    History history = good.history;
    StoredBatch other = batches.front();
    ++other.crc;
    history.seen_at_mirror(partition, other);
    expect("another batch at the mirror for a while", history, good.end);
  }
  {
    History history = good.history;
    StoredBatch ahead = batches.back();
    ahead.offset = ahead.next;
    history.seen_at_mirror(partition, ahead);
    expect("a mirror ahead of its source", history, good.end);
  }
  History::End truth;
  truth.partition = partition;
  truth.failover_offset = truth.source_high_watermark = batches.back().next;
  truth.new_epoch = 1 << 16;
  const std::string& target = good.end[longest].mirror;
  auto found_in = [&](const History::End& end, const std::string& bytes) {
    History history = good.history;
    history.check_ended(end, bytes, false, true);
    return history.violations();
  };
  if (!found_in(truth, target).empty()) {
    std::printf("the truth about an end is refused: %s\n", found_in(truth, target).front().c_str());
    return 0;
  }
  auto lie = [&](const char* what, auto change) {
    History::End end = truth;
    std::string bytes = target;
    change(end, bytes);
    const auto found = found_in(end, bytes);
    std::printf("%s: %s\n", what, found.empty() ? "NOT FOUND" : found.front().c_str());
    if (found.empty()) ++blind;
  };
  lie("an epoch that the source could have", [](auto& end, auto&) { end.new_epoch = 3; });
  lie("a target that holds less than it says", [](auto&, auto& bytes) { bytes.resize(bytes.size() - 1); });
  lie("an end behind what the source had", [](auto& end, auto&) {
    end.failover_offset += 1;
    end.source_high_watermark += 1;
  });
  lie("more lost than there was", [](auto& end, auto&) {
    end.source_high_watermark += 5;
    end.lost_at_least = 5;
  });
  lie("something lost, and nobody says so", [](auto& end, auto&) { end.failover_offset = 0; });
  {
    History history = good.history;
    history.group_at_target(partition, batches.back().next, batches.front().next);
    const bool found = !history.violations().empty();
    std::printf("a group ahead of the mirror: %s\n", found ? history.violations().front().c_str() : "NOT FOUND");
    if (!found) ++blind;
  }
  return blind == 0 ? 1 : 0;
}

}  // namespace
}  // namespace farshore::simulation

int main(int argc, char** argv) {
  farshore::simulation::Arguments arguments;
  if (!farshore::simulation::parse(argc, argv, arguments)) {
    std::fputs(farshore::simulation::kUsage, stderr);
    return 2;
  }
  if (arguments.canary) return farshore::simulation::canary(arguments);
  return farshore::simulation::play(arguments);
}
