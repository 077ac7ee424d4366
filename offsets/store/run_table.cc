#include "offsets/store/run_table.h"

#include <algorithm>

#include "offsets/store/layout.h"
#include "offsets/store/run_block.h"

namespace farshore::offsets {
namespace {

constexpr size_t kRowsPage = 128;

std::string row_at(char table, const LinkPartition& key, const RunPlace& place) {
  return layout::place_key(table, key, place.epoch, place.source);
}
std::string row_or_end(char table, const LinkPartition& key, const std::optional<RunPlace>& place) {
  return place ? row_at(table, key, *place) : layout::prefix_end(table, key);
}

void put_row(KvBatch& batch, const LinkPartition& key, const TranslationRun& run) {
  batch.put(layout::run_key(key, run.source_epoch, run.source), layout::run_value(run));
  batch.put(layout::target_key(key, run.target), layout::target_value(run));
}
void erase_row(KvBatch& batch, const LinkPartition& key, const TranslationRun& run) {
  batch.erase(layout::run_key(key, run.source_epoch, run.source));
  batch.erase(layout::target_key(key, run.target));
}
void put_block(KvBatch& batch, const LinkPartition& key, const RunTable::Runs& runs) {
  const TranslationRun& first = runs.front();
  batch.put(row_at(layout::kBlockRows, key, place_of_run(first)), encode_run_block(runs));
  batch.put(layout::block_target_key(key, first.target), layout::block_target_value(first));
}
void erase_block(KvBatch& batch, const LinkPartition& key, const TranslationRun& first) {
  batch.erase(row_at(layout::kBlockRows, key, place_of_run(first)));
  batch.erase(layout::block_target_key(key, first.target));
}

std::optional<TranslationRun> last_where(const RunTable::Runs& runs, auto below) {
  auto found = std::partition_point(runs.begin(), runs.end(), below);
  if (found == runs.begin()) return std::nullopt;
  return *std::prev(found);
}
std::optional<TranslationRun> first_where_not(const RunTable::Runs& runs, auto below) {
  auto found = std::partition_point(runs.begin(), runs.end(), below);
  if (found == runs.end()) return std::nullopt;
  return *found;
}

}  // namespace

Task<Result<RunTable::Runs>> RunTable::block_before(LinkPartition key, std::string end) {
  std::string begin = layout::prefix(layout::kBlockRows, key);
  CO_TRY(Rows rows, co_await kv_.scan_reverse(std::move(begin), std::move(end), 1));
  if (rows.empty()) co_return Runs();
  co_return decode_run_block(rows.front().second);
}

Task<Result<RunTable::Runs>> RunTable::block_from(LinkPartition key, std::string begin) {
  std::string end = layout::prefix_end(layout::kBlockRows, key);
  CO_TRY(Rows rows, co_await kv_.scan(std::move(begin), std::move(end), 1));
  if (rows.empty()) co_return Runs();
  co_return decode_run_block(rows.front().second);
}

// Rows are read before blocks everywhere: a run that is sealed meanwhile is seen at least once.
Task<Result<std::optional<TranslationRun>>> RunTable::last_in(LinkPartition key, RunPlace begin,
                                                              std::optional<RunPlace> end) {
  std::string from = row_at(layout::kRunRows, key, begin), to = row_or_end(layout::kRunRows, key, end);
  CO_TRY(Rows rows, co_await kv_.scan_reverse(std::move(from), std::move(to), 1));
  if (!rows.empty()) {
    CO_TRY(TranslationRun run, layout::read_run(rows.front().first, rows.front().second));
    co_return std::optional<TranslationRun>(run);
  }
  std::string block_end = row_or_end(layout::kBlockRows, key, end);
  CO_TRY(Runs block, co_await block_before(key, std::move(block_end)));
  auto last = last_where(block, [&](const TranslationRun& run) { return !end || place_of_run(run) < *end; });
  if (last && place_of_run(*last) < begin) last.reset();
  co_return last;
}

Task<Result<std::optional<TranslationRun>>> RunTable::first_in(LinkPartition key, RunPlace begin,
                                                               std::optional<RunPlace> end) {
  std::string from = row_at(layout::kRunRows, key, begin), to = row_or_end(layout::kRunRows, key, end);
  CO_TRY(Rows rows, co_await kv_.scan(std::move(from), std::move(to), 1));
  auto below = [&](const TranslationRun& run) { return place_of_run(run) < begin; };
  std::string at = row_at(layout::kBlockRows, key, begin);
  CO_TRY(Runs block, co_await block_before(key, at + '\0'));
  auto first = first_where_not(block, below);
  if (!first) {
    CO_TRY(block, co_await block_from(key, std::move(at)));
    first = first_where_not(block, below);
  }
  if (first && end && place_of_run(*first) >= *end) co_return std::optional<TranslationRun>();
  if (first || rows.empty()) co_return first;
  CO_TRY(TranslationRun run, layout::read_run(rows.front().first, rows.front().second));
  co_return std::optional<TranslationRun>(run);
}

Task<Result<RunTable::Runs>> RunTable::list(LinkPartition key, RunPlace begin, size_t items_max) {
  Runs out;
  std::string from = row_at(layout::kRunRows, key, begin), to = layout::prefix_end(layout::kRunRows, key);
  CO_TRY(Rows rows, co_await kv_.scan(std::move(from), std::move(to), items_max));
  std::string at = row_at(layout::kBlockRows, key, begin);
  CO_TRY(Runs block, co_await block_before(key, at + '\0'));
  if (block.empty() || place_of_run(block.back()) < begin) {
    CO_TRY(block, co_await block_from(key, at));
  }
  while (!block.empty() && out.size() < items_max) {
    for (const TranslationRun& run : block)
      if (place_of_run(run) >= begin && out.size() < items_max) out.push_back(run);
    at = row_at(layout::kBlockRows, key, place_of_run(block.back()));
    CO_TRY(block, co_await block_from(key, at + '\0'));
  }
  for (const auto& [row_key, value] : rows) {
    if (out.size() >= items_max) break;
    CO_TRY(TranslationRun run, layout::read_run(row_key, value));
    if (out.empty() || place_of_run(out.back()) < place_of_run(run)) out.push_back(run);
  }
  co_return out;
}

Task<Result<std::optional<TranslationRun>>> RunTable::last_below(LinkPartition key, TargetOffset target) {
  std::string from = layout::prefix(layout::kTargetRows, key), to = layout::target_key(key, target);
  CO_TRY(Rows rows, co_await kv_.scan_reverse(std::move(from), std::move(to), 1));
  if (!rows.empty()) {
    CO_TRY(TranslationRun run, layout::read_target(rows.front().first, rows.front().second));
    co_return std::optional<TranslationRun>(run);
  }
  from = layout::prefix(layout::kBlockTargetRows, key);
  to = layout::block_target_key(key, target);
  CO_TRY(Rows blocks, co_await kv_.scan_reverse(std::move(from), std::move(to), 1));
  if (blocks.empty()) co_return std::optional<TranslationRun>();
  CO_TRY(auto place, layout::read_block_target(blocks.front().second));
  std::string after = layout::place_key(layout::kBlockRows, key, place.first, place.second) + '\0';
  CO_TRY(Runs block, co_await block_before(key, std::move(after)));
  co_return last_where(block, [&](const TranslationRun& run) { return run.target < target; });
}

Task<Result<std::optional<TranslationRun>>> RunTable::first_from(LinkPartition key, TargetOffset target) {
  // The order by target is the order by source: the first that is not below comes after the last that is.
  CO_TRY(auto below, co_await last_below(key, target));
  RunPlace begin = kFirstPlace;
  if (below) begin = {below->source_epoch, below->source + 1};
  co_return co_await first_in(key, begin, std::nullopt);
}

Task<Result<RunTable::Runs>> RunTable::reaching_above(LinkPartition key, TargetOffset target, size_t items_max) {
  Runs out;
  std::optional<RunPlace> end;
  // Rows come in pages, and then blocks one by one.
  std::string row_begin = layout::prefix(layout::kTargetRows, key),
              row_end = layout::prefix_end(layout::kTargetRows, key);
  CO_TRY(Rows rows, co_await kv_.scan_reverse(std::move(row_begin), std::move(row_end), items_max));
  for (const auto& [row_key, value] : rows) {
    CO_TRY(TranslationRun run, layout::read_target(row_key, value));
    if (run.target_end() <= target) co_return out;
    out.push_back(run);
  }
  if (!out.empty()) end = place_of_run(out.back());
  while (out.size() < items_max) {
    std::string block_end = row_or_end(layout::kBlockRows, key, end);
    CO_TRY(Runs block, co_await block_before(key, std::move(block_end)));
    if (block.empty()) break;
    for (auto run = block.rbegin(); run != block.rend() && out.size() < items_max; ++run) {
      if (end && place_of_run(*run) >= *end) continue;  // sealed meanwhile
      if (run->target_end() <= target) co_return out;
      out.push_back(*run);
    }
    end = place_of_run(block.front());
  }
  co_return out;
}

Task<Status> RunTable::cut_rows(LinkPartition key, TranslationRun by, Cut cut, KvBatch& batch, bool& walk_on) {
  std::string end = layout::prefix_end(layout::kRunRows, key);
  for (walk_on = true; walk_on;) {
    std::string begin = layout::prefix(layout::kRunRows, key);
    CO_TRY(Rows rows, co_await kv_.scan_reverse(std::move(begin), end, kRowsPage));
    for (const auto& [row_key, value] : rows) {
      CO_TRY(TranslationRun old, layout::read_run(row_key, value));
      const int64_t length = old.length;
      walk_on = cut(old, by);
      if (old.length == 0) erase_row(batch, key, old);
      if (old.length > 0 && old.length < length) put_row(batch, key, old);
      if (!walk_on) co_return ok();
    }
    if (rows.size() < kRowsPage) co_return ok();
    end = rows.back().first;
  }
  co_return ok();
}

Task<Status> RunTable::cut_blocks(LinkPartition key, TranslationRun by, Cut cut, KvBatch& batch) {
  std::optional<RunPlace> end;
  for (bool walk_on = true; walk_on;) {
    std::string block_end = row_or_end(layout::kBlockRows, key, end);
    CO_TRY(Runs block, co_await block_before(key, std::move(block_end)));
    if (block.empty()) co_return ok();
    const TranslationRun first = block.front();
    end = place_of_run(first);
    bool changed = false;
    while (walk_on && !block.empty()) {
      const int64_t length = block.back().length;
      walk_on = cut(block.back(), by);
      changed = changed || block.back().length < length;
      if (block.back().length > 0) break;
      block.pop_back();
    }
    if (block.empty())
      erase_block(batch, key, first);
    else if (changed)
      put_block(batch, key, block);
    walk_on = walk_on && block.empty();
  }
  co_return ok();
}

Task<Status> RunTable::cut_and_put(LinkPartition key, TranslationRun by, Cut cut, bool put, Sync sync) {
  KvBatch batch;
  bool walk_on = true;
  CO_CHECK(co_await cut_rows(key, by, cut, batch, walk_on));
  if (walk_on) CO_CHECK(co_await cut_blocks(key, by, cut, batch));
  if (put) put_row(batch, key, by);
  if (!batch.empty() || sync == Sync::kYes) CO_CHECK(co_await kv_.write(std::move(batch), sync));
  if (!put) co_return ok();
  if (!rows_.count(key)) {
    CO_TRY(const size_t counted, co_await count_rows(key));
    rows_[key] = counted;
  } else {
    ++rows_[key];
  }
  if (rows_[key] < 2 * sealed_runs_) co_return ok();
  co_return co_await seal(key);
}

Task<Result<size_t>> RunTable::count_rows(LinkPartition key) {
  std::string begin = layout::prefix(layout::kRunRows, key), end = layout::prefix_end(layout::kRunRows, key);
  CO_TRY(Rows rows, co_await kv_.scan(std::move(begin), std::move(end), 4 * sealed_runs_));
  co_return rows.size();
}

// The oldest rows become a block, in one write.
Task<Status> RunTable::seal(LinkPartition key) {
  std::string begin = layout::prefix(layout::kRunRows, key), end = layout::prefix_end(layout::kRunRows, key);
  CO_TRY(Rows rows, co_await kv_.scan(std::move(begin), std::move(end), 2 * sealed_runs_));
  rows_[key] = rows.size();
  if (rows.size() < 2 * sealed_runs_) co_return ok();  // cut since
  Runs sealed;
  KvBatch batch;
  for (size_t i = 0; i < sealed_runs_; ++i) {
    CO_TRY(TranslationRun run, layout::read_run(rows[i].first, rows[i].second));
    erase_row(batch, key, run);
    sealed.push_back(run);
  }
  put_block(batch, key, sealed);
  CO_TRY(auto identity, co_await kv_.get(layout::kIdentityKey));
  if (identity && !identity->empty() && !identity->starts_with(layout::kSealedMark))
    batch.put(layout::kIdentityKey, std::string(layout::kSealedMark) + *identity);
  CO_CHECK(co_await kv_.write(std::move(batch), Sync::kNo));
  rows_[key] -= sealed_runs_;
  co_return ok();
}

Task<Status> RunTable::erase(LinkPartition key, RunPlace place) {
  std::string row = row_at(layout::kRunRows, key, place);
  CO_TRY(auto value, co_await kv_.get(row));
  KvBatch batch;
  if (value) {
    CO_TRY(TranslationRun run, layout::read_run(row, *value));
    erase_row(batch, key, run);
    co_return co_await kv_.write(std::move(batch), Sync::kNo);
  }
  std::string after = row_at(layout::kBlockRows, key, place) + '\0';
  CO_TRY(Runs block, co_await block_before(key, std::move(after)));
  auto found =
      std::find_if(block.begin(), block.end(), [&](const TranslationRun& run) { return place_of_run(run) == place; });
  if (found == block.end()) co_return ok();
  erase_block(batch, key, block.front());
  block.erase(found);
  if (!block.empty()) put_block(batch, key, block);
  co_return co_await kv_.write(std::move(batch), Sync::kNo);
}

void RunTable::erase_all(KvBatch& batch, const LinkPartition& key) {
  rows_.erase(key);
  for (char table : {layout::kRunRows, layout::kTargetRows, layout::kBlockRows, layout::kBlockTargetRows})
    batch.erase_range(layout::prefix(table, key), layout::prefix_end(table, key));
}

}  // namespace farshore::offsets
