#include "offsets/store/run_table.h"

#include <algorithm>

#include "offsets/store/layout.h"
#include "offsets/store/run_block.h"

namespace farshore::offsets {
namespace {

constexpr size_t kRowsPage = 1024;
constexpr size_t kKeyBytes = 256;  // of an entry without runs

std::string row_at(char table, const LinkPartition& key, const RunPlace& place) {
  return layout::place_key(table, key, place.epoch, place.source);
}
void put_row(KvBatch& batch, const LinkPartition& key, const TranslationRun& run) {
  batch.put(layout::run_key(key, run.source_epoch, run.source), layout::run_value(run));
  batch.put(layout::target_key(key, run.target), layout::target_value(run));
}
void erase_row(KvBatch& batch, const LinkPartition& key, const TranslationRun& run) {
  batch.erase(layout::run_key(key, run.source_epoch, run.source));
  batch.erase(layout::target_key(key, run.target));
}
void put_block(KvBatch& batch, const LinkPartition& key, const TranslationRun& first, std::string encoded) {
  batch.put(row_at(layout::kBlockRows, key, place_of_run(first)), std::move(encoded));
  batch.put(layout::block_target_key(key, first.target), layout::block_target_value(first));
}
void erase_block(KvBatch& batch, const LinkPartition& key, const TranslationRun& first) {
  batch.erase(row_at(layout::kBlockRows, key, place_of_run(first)));
  batch.erase(layout::block_target_key(key, first.target));
}
void change_block(KvBatch& batch, const LinkPartition& key, const TranslationRun& first, const RunTable::Runs& left) {
  if (left.empty() || place_of_run(left.front()) != place_of_run(first)) erase_block(batch, key, first);
  if (!left.empty()) put_block(batch, key, left.front(), encode_run_block(left));
}

}  // namespace

// --- memory

Task<Result<std::shared_ptr<const KeyRuns>>> RunTable::of(LinkPartition key) {
  if (auto known = keys_.find(key); known != keys_.end()) {
    known->second.used = ++uses_;
    co_return std::shared_ptr<const KeyRuns>(known->second.runs);
  }
  CO_TRY(std::shared_ptr<const KeyRuns> runs, co_await load(key));
  co_return runs;
}

Task<Result<std::shared_ptr<KeyRuns>>> RunTable::load(LinkPartition key) {
  for (;;) {
    if (auto known = keys_.find(key); known != keys_.end()) {
      known->second.used = ++uses_;
      co_return known->second.runs;
    }
    const uint64_t forgets = forgets_;
    CO_TRY(std::shared_ptr<KeyRuns> runs, co_await read(key));
    // What was erased meanwhile may have been read; what another call has read meanwhile may have been changed since.
    if (forgets != forgets_ || keys_.count(key)) continue;
    keys_[key] = Entry{runs, 0, ++uses_};
    count(key, *runs);
  }
}

Task<Result<std::shared_ptr<KeyRuns>>> RunTable::read(LinkPartition key) {
  auto runs = std::make_shared<KeyRuns>();
  // Rows before blocks: a run that is sealed meanwhile is seen, at least once.
  CO_CHECK(co_await read_table(layout::kRunRows, key, *runs));
  CO_CHECK(co_await read_table(layout::kBlockRows, key, *runs));
  co_return runs;
}

Task<Status> RunTable::read_table(char table, LinkPartition key, KeyRuns& into) {
  std::string from = layout::prefix(table, key);
  const std::string end = layout::prefix_end(table, key);
  for (;;) {
    CO_TRY(Rows rows, co_await kv_.scan(from, end, kRowsPage));
    for (auto& [row_key, value] : rows) {
      if (table == layout::kRunRows) {
        CO_TRY(TranslationRun run, layout::read_run(row_key, value));
        into.add_row(run);
      } else {
        CO_TRY(Runs checked, decode_run_block(value));
        into.add_block(std::move(value));
      }
    }
    if (rows.size() < kRowsPage) co_return ok();
    from = rows.back().first + '\0';
  }
}

void RunTable::count(const LinkPartition& key, const KeyRuns& changed) {
  auto known = keys_.find(key);
  if (known == keys_.end() || known->second.runs.get() != &changed) return forget(key);  // read again, by then
  const size_t bytes = kKeyBytes + changed.bytes();
  memory_bytes_ += bytes - known->second.bytes;
  known->second.bytes = bytes;
  make_room(key);
}

// Keys that a call works with stay: it holds them.
void RunTable::make_room(const LinkPartition& keep) {
  while (memory_bytes_ > memory_max_) {
    auto oldest = keys_.end();
    for (auto at = keys_.begin(); at != keys_.end(); ++at) {
      if (at->first == keep || at->second.runs.use_count() > 1) continue;
      if (oldest == keys_.end() || at->second.used < oldest->second.used) oldest = at;
    }
    if (oldest == keys_.end()) return;
    memory_bytes_ -= oldest->second.bytes;
    keys_.erase(oldest);
  }
}

void RunTable::forget(const LinkPartition& key) {
  ++forgets_;
  auto known = keys_.find(key);
  if (known == keys_.end()) return;
  memory_bytes_ -= known->second.bytes;
  keys_.erase(known);
}

void RunTable::forget_all() {
  ++forgets_;
  keys_.clear();
  memory_bytes_ = 0;
}

// --- writing

// After an error the KvStore has the batch or not: the key is read again.
Task<Status> RunTable::write(LinkPartition key, KvBatch batch, Sync sync) {
  auto written = co_await kv_.write(std::move(batch), sync);
  if (!written) forget(key);
  co_return written;
}

Task<Status> RunTable::cut_and_put(LinkPartition key, TranslationRun by, Cut cut, bool put, Sync sync) {
  CO_TRY(const std::shared_ptr<KeyRuns> runs, co_await load(key));
  KvBatch batch;
  size_t rows = runs->rows().size();
  std::optional<TranslationRun> last_row;  // what is left of it, if it changes
  bool walk_on = true;
  for (; walk_on && rows > 0; --rows) {
    TranslationRun old = runs->rows()[rows - 1];
    const int64_t length = old.length;
    walk_on = cut(old, by);
    if (old.length > 0) {
      if (old.length < length) last_row = old;
      break;
    }
    erase_row(batch, key, old);
  }
  if (last_row) put_row(batch, key, *last_row);
  size_t blocks = runs->blocks();
  Runs last_block;  // what is left of it; empty: all of it, or it is not looked at
  while (walk_on && blocks > 0) {
    last_block = runs->block(blocks - 1);
    const TranslationRun first = last_block.front();
    bool changed = false;
    while (walk_on && !last_block.empty()) {
      const int64_t length = last_block.back().length;
      walk_on = cut(last_block.back(), by);
      changed = changed || last_block.back().length < length;
      if (last_block.back().length > 0) break;
      last_block.pop_back();
    }
    if (changed) change_block(batch, key, first, last_block);
    if (!last_block.empty()) break;
    --blocks;
  }
  if (put) put_row(batch, key, by);
  if (!batch.empty() || sync == Sync::kYes) CO_CHECK(co_await write(key, std::move(batch), sync));
  while (runs->blocks() > blocks) runs->replace_block(runs->blocks() - 1, Runs());
  if (!last_block.empty()) runs->replace_block(blocks - 1, last_block);
  runs->cut_rows(rows, last_row);
  if (put) runs->add_row(by);
  count(key, *runs);
  if (put && runs->rows().size() >= 2 * sealed_runs_) co_return co_await seal(key);
  co_return ok();
}

// The oldest rows become a block, in one write.
Task<Status> RunTable::seal(LinkPartition key) {
  CO_TRY(const std::shared_ptr<KeyRuns> runs, co_await load(key));
  const auto middle = runs->rows().begin() + static_cast<std::ptrdiff_t>(sealed_runs_);
  const Runs sealed(runs->rows().begin(), middle);
  Runs rest(middle, runs->rows().end());
  KvBatch batch;
  for (const TranslationRun& run : sealed) erase_row(batch, key, run);
  std::string encoded = encode_run_block(sealed);
  put_block(batch, key, sealed.front(), encoded);
  CO_TRY(auto identity, co_await kv_.get(layout::kIdentityKey));
  if (identity && !identity->empty() && !identity->starts_with(layout::kSealedMark))
    batch.put(layout::kIdentityKey, std::string(layout::kSealedMark) + *identity);
  CO_CHECK(co_await write(key, std::move(batch), Sync::kNo));
  runs->add_block(std::move(encoded));
  runs->change_rows(std::move(rest));
  count(key, *runs);
  co_return ok();
}

Task<Status> RunTable::erase(LinkPartition key, RunPlace place) {
  CO_TRY(const std::shared_ptr<KeyRuns> runs, co_await load(key));
  auto same = [&](const TranslationRun& run) { return place_of_run(run) == place; };
  KvBatch batch;
  Runs rows = runs->rows();
  if (auto row = std::find_if(rows.begin(), rows.end(), same); row != rows.end()) {
    erase_row(batch, key, *row);
    rows.erase(row);
    CO_CHECK(co_await write(key, std::move(batch), Sync::kNo));
    runs->change_rows(std::move(rows));
    count(key, *runs);
    co_return ok();
  }
  const auto index = runs->block_of(place);
  if (!index) co_return ok();
  Runs block = runs->block(*index);
  auto found = std::find_if(block.begin(), block.end(), same);
  if (found == block.end()) co_return ok();
  const TranslationRun first = block.front();
  block.erase(found);
  change_block(batch, key, first, block);
  CO_CHECK(co_await write(key, std::move(batch), Sync::kNo));
  runs->replace_block(*index, block);
  count(key, *runs);
  co_return ok();
}

void RunTable::erase_all(KvBatch& batch, const LinkPartition& key) {
  forget(key);
  for (char table : {layout::kRunRows, layout::kTargetRows, layout::kBlockRows, layout::kBlockTargetRows})
    batch.erase_range(layout::prefix(table, key), layout::prefix_end(table, key));
}

}  // namespace farshore::offsets
