#include "tests/simulation/canary.h"

#include <cinttypes>
#include <cstdio>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace farshore::simulation {
namespace {

// The first run from `options.seed` on that converges; nullopt if a bad run comes first.
std::optional<RunResult> find_good_run(RunOptions& options) {
  RunResult run = run_link(options);
  while (run.kind != EndKind::kConverge && run.violations.empty()) {
    ++options.seed;
    run = run_link(options);
  }
  if (run.violations.empty() && run.acknowledged > 0 && !run.end.empty()) return run;
  std::printf("seed %" PRIu64 " is no good run to begin with\n", options.seed);
  return std::nullopt;
}

// Changes one good run, and counts the changes that the checker does not find.
class Canary {
 public:
  explicit Canary(const RunResult& good) : good_(good) {
    for (size_t i = 0; i < good.end.size(); ++i)
      if (good.end[i].source.size() > good.end[longest_].source.size()) longest_ = i;
    batches_ = batches_of(good.end[longest_].source);
    partition_ = static_cast<int32_t>(longest_);
  }
  bool usable() const { return batches_.size() >= 2; }
  int missed() const { return missed_; }

  void change_histories() {
    change("an acknowledged batch that is nowhere",
           [&](History& history, auto&) { history.acknowledged(partition_, batches_.back().next, 1); });
    change("one bit of the mirror", [&](History&, auto& end) {
      end[longest_].mirror.back() = static_cast<char>(end[longest_].mirror.back() ^ 1);
    });
    change("both logs are empty", [&](History&, auto& end) {
      for (auto& state : end) state.source.clear(), state.mirror.clear();
    });
    change("every batch twice", [&](History&, auto& end) {
      end[longest_].source += end[longest_].source;
      end[longest_].mirror = end[longest_].source;
    });
    change("another batch at the mirror for a while", [&](History& history, auto&) {
      StoredBatch other = batches_.front();
      ++other.crc;
      history.seen_at_mirror(partition_, other);
    });
    change("a mirror ahead of its source", [&](History& history, auto&) {
      StoredBatch ahead = batches_.back();
      ahead.offset = ahead.next;
      history.seen_at_mirror(partition_, ahead);
    });
  }

  // False: the checker refuses the truth.
  bool change_ends() {
    History::End truth;
    truth.partition = partition_;
    truth.failover_offset = truth.source_high_watermark = batches_.back().next;
    truth.new_epoch = 1 << 16;
    const std::string& target = good_.end[longest_].mirror;
    if (auto found = check(truth, target); !found.empty()) {
      std::printf("the truth about an end is refused: %s\n", found.front().c_str());
      return false;
    }
    auto change_end = [&](const char* what, const std::function<void(History::End&, std::string&)>& apply) {
      History::End end = truth;
      std::string bytes = target;
      apply(end, bytes);
      report(what, check(end, bytes));
    };
    change_end("an epoch that the source could have", [](auto& end, auto&) { end.new_epoch = 3; });
    change_end("a target that holds less than it says", [](auto&, auto& bytes) { bytes.resize(bytes.size() - 1); });
    change_end("an end behind what the source had", [](auto& end, auto&) {
      end.failover_offset += 1;
      end.source_high_watermark += 1;
    });
    change_end("more lost than there was", [](auto& end, auto&) {
      end.source_high_watermark += 5;
      end.lost_at_least = 5;
    });
    change_end("something lost that the report does not name", [](auto& end, auto&) { end.failover_offset = 0; });
    return true;
  }

  void change_groups() {
    History history = good_.history;
    history.group_at_target(partition_, batches_.back().next, batches_.front().next);
    report("a group ahead of the mirror", history.violations());
  }

 private:
  using Ends = std::vector<PartitionState>;
  void change(const char* what, const std::function<void(History&, Ends&)>& apply) {
    History history = good_.history;
    Ends end = good_.end;
    apply(history, end);
    history.check_end(end, false);
    report(what, history.violations());
  }
  std::vector<std::string> check(const History::End& end, const std::string& bytes) const {
    History history = good_.history;
    history.check_ended(end, bytes, false, true);
    return history.violations();
  }
  void report(const char* what, const std::vector<std::string>& violations) {
    std::printf("%s: %s\n", what, violations.empty() ? "NOT FOUND" : violations.front().c_str());
    if (violations.empty()) ++missed_;
  }

  const RunResult& good_;
  size_t longest_ = 0;  // of the partitions
  int32_t partition_ = 0;
  std::vector<StoredBatch> batches_;
  int missed_ = 0;
};

}  // namespace

int run_canary(RunOptions options, uint64_t first_seed) {
  options.seed = first_seed;
  const auto good = find_good_run(options);
  if (!good) return 0;
  Canary canary(*good);
  if (!canary.usable()) return 0;
  canary.change_histories();
  if (!canary.change_ends()) return 0;
  canary.change_groups();
  return canary.missed() == 0 ? 1 : 0;
}

}  // namespace farshore::simulation
