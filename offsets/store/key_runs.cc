#include "offsets/store/key_runs.h"

#include <algorithm>

#include "offsets/store/run_block.h"

namespace farshore::offsets {
namespace {

// Of runs in order: the last for which `below` holds, the first for which it does not.
std::optional<TranslationRun> last_below_in(std::string_view encoded, auto below) {
  std::optional<TranslationRun> last;
  for (RunBlockReader reader(encoded); reader.left() > 0;) {
    const TranslationRun& run = reader.next();
    if (!below(run)) break;
    last = run;
  }
  return last;
}
std::optional<TranslationRun> first_not_below_in(std::string_view encoded, auto below) {
  for (RunBlockReader reader(encoded); reader.left() > 0;) {
    const TranslationRun& run = reader.next();
    if (!below(run)) return run;
  }
  return std::nullopt;
}
std::optional<TranslationRun> last_row_where(const KeyRuns::Runs& rows, auto below) {
  auto found = std::partition_point(rows.begin(), rows.end(), below);
  if (found == rows.begin()) return std::nullopt;
  return *std::prev(found);
}

}  // namespace

KeyRuns::Block KeyRuns::block_with(std::string encoded) {
  RunBlockReader reader(encoded);
  const TranslationRun first = reader.next();
  return {place_of_run(first), first.target, std::move(encoded)};
}

void KeyRuns::add_block(std::string encoded) {
  encoded.shrink_to_fit();
  blocks_.push_back(block_with(std::move(encoded)));
  bytes_ += bytes_of(blocks_.back());
}

void KeyRuns::replace_block(size_t index, const Runs& runs) {
  const auto at = blocks_.begin() + static_cast<std::ptrdiff_t>(index);
  bytes_ -= bytes_of(*at);
  if (runs.empty()) {
    blocks_.erase(at);
    return;
  }
  *at = block_with(encode_run_block(runs));
  bytes_ += bytes_of(*at);
}

// The newest run then: what is written again is replaced.
void KeyRuns::add_row(const TranslationRun& run) {
  while (!rows_.empty() && place_of_run(rows_.back()) >= place_of_run(run)) rows_.pop_back();
  rows_.push_back(run);
}

void KeyRuns::cut_rows(size_t kept, const std::optional<TranslationRun>& last) {
  rows_.erase(rows_.begin() + static_cast<std::ptrdiff_t>(kept), rows_.end());
  if (last) rows_.back() = *last;
}

KeyRuns::Runs KeyRuns::block(size_t index) const {
  Runs runs;
  for (RunBlockReader reader(blocks_[index].encoded); reader.left() > 0;) runs.push_back(reader.next());
  return runs;
}

std::optional<size_t> KeyRuns::block_of(RunPlace place) const {
  auto found =
      std::partition_point(blocks_.begin(), blocks_.end(), [&](const Block& block) { return block.place <= place; });
  if (found == blocks_.begin()) return std::nullopt;
  return static_cast<size_t>(found - blocks_.begin()) - 1;
}

std::optional<TranslationRun> KeyRuns::last_in(RunPlace begin, std::optional<RunPlace> end) const {
  auto below = [&](const TranslationRun& run) { return !end || place_of_run(run) < *end; };
  auto last = last_row_where(rows_, below);
  if (!last) {
    auto found = std::partition_point(blocks_.begin(), blocks_.end(),
                                      [&](const Block& block) { return !end || block.place < *end; });
    if (found != blocks_.begin()) last = last_below_in(std::prev(found)->encoded, below);
  }
  if (last && place_of_run(*last) < begin) last.reset();
  return last;
}

std::optional<TranslationRun> KeyRuns::first_in(RunPlace begin, std::optional<RunPlace> end) const {
  auto below = [&](const TranslationRun& run) { return place_of_run(run) < begin; };
  std::optional<TranslationRun> first;
  const auto in = block_of(begin);
  if (in) first = first_not_below_in(blocks_[*in].encoded, below);
  const size_t next = in ? *in + 1 : 0;
  if (!first && next < blocks_.size()) first = RunBlockReader(blocks_[next].encoded).next();
  if (!first) {
    auto row = std::partition_point(rows_.begin(), rows_.end(), below);
    if (row != rows_.end()) first = *row;
  }
  if (first && end && place_of_run(*first) >= *end) first.reset();
  return first;
}

KeyRuns::Runs KeyRuns::list(RunPlace begin, size_t items_max) const {
  Runs out;
  for (size_t i = block_of(begin).value_or(0); i < blocks_.size(); ++i) {
    for (RunBlockReader reader(blocks_[i].encoded); reader.left() > 0;) {
      const TranslationRun& run = reader.next();
      if (out.size() >= items_max) return out;
      if (place_of_run(run) >= begin) out.push_back(run);
    }
  }
  for (const TranslationRun& run : rows_) {
    if (out.size() >= items_max) break;
    if (place_of_run(run) >= begin) out.push_back(run);
  }
  return out;
}

std::optional<TranslationRun> KeyRuns::last_below(TargetOffset target) const {
  auto below = [&](const TranslationRun& run) { return run.target < target; };
  if (auto last = last_row_where(rows_, below)) return last;
  auto found =
      std::partition_point(blocks_.begin(), blocks_.end(), [&](const Block& block) { return block.target < target; });
  if (found == blocks_.begin()) return std::nullopt;
  return last_below_in(std::prev(found)->encoded, below);
}

KeyRuns::Runs KeyRuns::reaching_above(TargetOffset target, size_t items_max) const {
  Runs out;
  auto take = [&](const Runs& runs) {
    for (auto run = runs.rbegin(); run != runs.rend(); ++run) {
      if (out.size() >= items_max || run->target_end() <= target) return false;
      out.push_back(*run);
    }
    return true;
  };
  if (!take(rows_)) return out;
  for (size_t i = blocks_.size(); i > 0; --i)
    if (!take(block(i - 1))) break;
  return out;
}

}  // namespace farshore::offsets
