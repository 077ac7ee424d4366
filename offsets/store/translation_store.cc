#include "offsets/store/translation_store.h"

#include <algorithm>
#include <limits>

#include "offsets/store/layout.h"

namespace farshore::offsets {
namespace {

using Rows = std::vector<std::pair<std::string, std::string>>;
constexpr size_t kPage = 128;
constexpr LogEpoch kNewest{std::numeric_limits<int32_t>::max() - 1};

// Of put_run(): what the new run contradicts goes. The order is the same in both offsets, so it is a tail.
bool cut_by_run(TranslationRun& old, const TranslationRun& run) {
  if (place_of_run(old) >= place_of_run(run) || old.target >= run.target) {
    old.length = 0;
    return true;
  }
  old.length = std::min<int64_t>(old.length, run.target - old.target);
  if (old.source_epoch == run.source_epoch) old.length = std::min<int64_t>(old.length, run.source - old.source);
  return false;
}

// Of lower_claim(): what lies at or above the target of `by` goes.
bool cut_at_target(TranslationRun& old, const TranslationRun& by) {
  old.length = std::clamp<int64_t>(by.target - old.target, 0, old.length);
  return old.length == 0;
}

Translated at_target(TargetOffset offset, LogEpoch epoch, bool exact) { return {offset.value(), epoch, exact}; }
Translated at_source(SourceOffset offset, LogEpoch epoch, bool exact) { return {offset.value(), epoch, exact}; }

std::string source_text(SourceOffset offset) { return "source offset " + std::to_string(offset.value()); }
std::string target_text(TargetOffset offset) { return "target offset " + std::to_string(offset.value()); }

Error not_translated(const KeyRuns& runs, std::string what) {
  if (runs.empty()) return {ErrorCode::kNotFound, "nothing was relayed of this partition"};
  return {ErrorCode::kOutOfRange, std::move(what)};
}

// The newest epoch, at most `epoch_max`, that had begun at `offset`: as Kafka's leader epoch cache answers. None: the
// offset lies below all that is known.
std::optional<LogEpoch> lineage_epoch(const KeyRuns& runs, SourceOffset offset, LogEpoch epoch_max) {
  RunPlace end{epoch_max + 1, SourceOffset(0)};
  for (;;) {
    const auto last = runs.last_in(kFirstPlace, end);
    if (!last) return std::nullopt;
    const LogEpoch epoch = last->source_epoch;
    end = RunPlace{epoch, SourceOffset(0)};
    const auto first = runs.first_in(end, RunPlace{epoch + 1, SourceOffset(0)});
    if (first && first->source <= offset) return epoch;
  }
}

}  // namespace

Task<Status> TranslationStore::put_run(LinkPartition key, TranslationRun run, Sync sync) {
  if (run.length < 0 || run.source.value() < 0 || run.target.value() < 0 || run.source_epoch.value() < -1 ||
      run.source_epoch > kNewest)
    co_return Error(ErrorCode::kInvalidArgument, "a run with numbers that cannot be");
  co_return co_await runs_.cut_and_put(key, run, cut_by_run, run.length > 0, sync);
}

Task<Status> TranslationStore::put_anchor(LinkPartition key, RelayAnchor anchor, Sync sync) {
  KvBatch batch;
  batch.put(layout::anchor_key(key, anchor), layout::anchor_value(anchor));
  co_return co_await kv_.write(std::move(batch), sync);
}

Task<Status> TranslationStore::apply(TranslationRecord record, Sync sync) {
  if (const auto* anchor = std::get_if<AnchorRecord>(&record)) {
    LinkPartition key = anchor->key;
    RelayAnchor which = anchor->anchor;
    if (anchor->erased || which.target_from == kVoidAnchor) co_return co_await erase_anchor(key, which);
    co_return co_await put_anchor(key, which, sync);
  }
  const auto& run = std::get<RunRecord>(record);
  LinkPartition key = run.key;
  TranslationRun which = run.run;
  if (run.erased) co_return co_await erase_run(key, which.source_epoch, which.source);
  co_return co_await put_run(key, which, sync);
}

Task<Status> TranslationStore::lower_claim(LinkPartition key, TargetOffset target) {
  TranslationRun by;
  by.target = target;
  // Written also where nothing changes: what was lowered before is durable then.
  co_return co_await runs_.cut_and_put(key, by, cut_at_target, /*put=*/false, Sync::kYes);
}

Task<Status> TranslationStore::put_unlogged(LinkPartition key, TranslationRun run, TargetOffset logged_end) {
  std::string row = layout::prefix(layout::kUnloggedRows, key);
  CO_TRY(auto known, co_await kv_.get(row));
  if (!known) {
    KvBatch batch;
    batch.put(row, layout::unlogged_value(logged_end));
    CO_CHECK(co_await kv_.write(std::move(batch), Sync::kNo));
  }
  co_return co_await put_run(key, run, Sync::kNo);
}

Task<Status> TranslationStore::drop_unlogged(LinkPartition key) {
  CO_TRY(auto value, co_await kv_.get(layout::prefix(layout::kUnloggedRows, key)));
  if (!value) co_return ok();
  CO_TRY(TargetOffset logged_end, layout::read_unlogged(*value));
  CO_CHECK(co_await lower_claim(key, logged_end));
  co_return co_await all_logged(key);
}

Task<Status> TranslationStore::all_logged(LinkPartition key) {
  KvBatch batch;
  batch.erase(layout::prefix(layout::kUnloggedRows, key));
  co_return co_await kv_.write(std::move(batch), Sync::kNo);
}

Task<Status> TranslationStore::erase_run(LinkPartition key, LogEpoch epoch, SourceOffset source) {
  co_return co_await runs_.erase(key, RunPlace{epoch, source});
}

Task<Status> TranslationStore::erase_anchor(LinkPartition key, RelayAnchor anchor) {
  KvBatch batch;
  batch.erase(layout::anchor_key(key, anchor));
  co_return co_await kv_.write(std::move(batch), Sync::kNo);
}

Task<Status> TranslationStore::erase(LinkPartition key) {
  KvBatch batch;
  runs_.erase_all(batch, key);
  for (char table : {layout::kAnchorRows, layout::kUnloggedRows})
    batch.erase_range(layout::prefix(table, key), layout::prefix_end(table, key));
  auto erased = co_await kv_.write(std::move(batch), Sync::kNo);
  runs_.forget(key);
  co_return erased;
}

Task<Status> TranslationStore::clear() {
  KvBatch batch;
  batch.erase_range(std::string(1, '\0'), "\xff");
  runs_.forget_all();
  auto cleared = co_await kv_.write(std::move(batch), Sync::kYes);
  runs_.forget_all();
  co_return cleared;
}

Task<Result<Claims>> TranslationStore::claims(LinkPartition key) {
  Claims out;
  std::string from = layout::prefix(layout::kAnchorRows, key);
  const std::string end = layout::prefix_end(layout::kAnchorRows, key);
  for (;;) {
    CO_TRY(Rows rows, co_await kv_.scan(from, end, kPage));
    for (const auto& [row_key, value] : rows) {
      CO_TRY(RelayAnchor anchor, layout::read_anchor(row_key, value));
      out.anchors.push_back(anchor);
    }
    if (rows.size() < kPage) break;
    from = rows.back().first + '\0';
  }
  CO_TRY(auto runs, co_await runs_.of(key));
  out.last_run = runs->last_in(kFirstPlace, std::nullopt);
  co_return out;
}

Task<Result<std::vector<TranslationRun>>> TranslationStore::runs(LinkPartition key, SourceOffset from,
                                                                 size_t items_max) {
  std::vector<TranslationRun> out;
  if (items_max == 0) co_return out;
  CO_TRY(auto runs, co_await runs_.of(key));
  const auto lineage = lineage_epoch(*runs, from, kNewest);
  RunPlace begin = kFirstPlace;
  if (lineage) {
    begin = RunPlace{*lineage, from};
    // The one that begins below may reach beyond.
    const auto reaching = runs->last_in(RunPlace{*lineage, SourceOffset(0)}, begin);
    if (reaching && reaching->source_end() > from) out.push_back(*reaching);
  }
  const auto rest = runs->list(begin, items_max - out.size());
  out.insert(out.end(), rest.begin(), rest.end());
  co_return out;
}

Task<Result<std::vector<TranslationRun>>> TranslationStore::runs_above(LinkPartition key, TargetOffset target,
                                                                       size_t items_max) {
  CO_TRY(auto runs, co_await runs_.of(key));
  co_return runs->reaching_above(target, items_max);
}

Task<Result<std::optional<KnownEnd>>> TranslationStore::known_end_of(LinkPartition key) {
  CO_TRY(Claims known, co_await claims(key));
  co_return known_end(known.anchors, known.last_run);
}

Task<Result<Translated>> TranslationStore::to_target(LinkPartition key, SourceOffset offset,
                                                     std::optional<LogEpoch> epoch) {
  CO_TRY(auto runs, co_await runs_.of(key));
  const auto lineage = lineage_epoch(*runs, offset, epoch.value_or(kNewest));
  if (!lineage) {
    CO_TRY(auto known, co_await known_end_of(key));
    if (runs->empty() && known && offset <= known->source)
      co_return at_target(known->target, known->epoch, offset == known->source);
    co_return not_translated(*runs, source_text(offset) + " lies below the first record that was relayed");
  }
  const RunPlace begin{*lineage, SourceOffset(0)}, above{*lineage, offset + 1};
  const auto at = runs->last_in(begin, above);
  if (at && offset < at->source_end()) co_return at_target(at->target + (offset - at->source), *lineage, true);
  const auto next = runs->first_in(above, std::nullopt);
  if (next) co_return at_target(next->target, next->source_epoch, false);
  if (at && offset == at->source_end()) co_return at_target(at->target_end(), *lineage, true);
  CO_TRY(auto known, co_await known_end_of(key));
  if (known && offset <= known->source) co_return at_target(known->target, known->epoch, offset == known->source);
  co_return not_translated(*runs, source_text(offset) + " is beyond what the target has acknowledged");
}

Task<Result<Translated>> TranslationStore::to_source(LinkPartition key, TargetOffset offset) {
  CO_TRY(auto runs, co_await runs_.of(key));
  const auto at = runs->last_below(offset + 1);
  if (!at) co_return not_translated(*runs, target_text(offset) + " lies below the first record that was relayed");
  if (offset < at->target_end()) co_return at_source(at->source + (offset - at->target), at->source_epoch, true);
  // The order by target is the order by source.
  const auto next = runs->first_in(RunPlace{at->source_epoch, at->source + 1}, std::nullopt);
  if (next) co_return at_source(next->source, next->source_epoch, false);
  if (offset == at->target_end()) co_return at_source(at->source_end(), at->source_epoch, true);
  CO_TRY(auto known, co_await known_end_of(key));
  if (known && offset <= known->target) co_return at_source(known->source, known->epoch, offset == known->target);
  co_return not_translated(*runs, target_text(offset) + " is beyond what was relayed");
}

Task<Result<std::map<int32_t, AppliedTo>>> TranslationStore::applied() {
  std::map<int32_t, AppliedTo> out;
  std::string from(1, layout::kAppliedRows);
  const std::string end(1, layout::kAppliedRows + 1);
  for (;;) {
    CO_TRY(Rows rows, co_await kv_.scan(from, end, kPage));
    for (const auto& [key, value] : rows) {
      CO_TRY(auto each, layout::read_applied(key, value));
      out.insert(each);
    }
    if (rows.size() < kPage) co_return out;
    from = rows.back().first + '\0';
  }
}

Task<Status> TranslationStore::set_applied(int32_t log_partition, AppliedTo to, Sync sync) {
  KvBatch batch;
  batch.put(layout::applied_key(log_partition), layout::applied_value(to));
  co_return co_await kv_.write(std::move(batch), sync);
}

Task<Result<std::string>> TranslationStore::log_identity() {
  CO_TRY(auto value, co_await kv_.get(layout::kIdentityKey));
  std::string identity = value.value_or(std::string());
  if (identity.starts_with(layout::kSealedMark)) identity.erase(0, layout::kSealedMark.size());
  co_return identity;
}

Task<Status> TranslationStore::set_log_identity(std::string identity) {
  KvBatch batch;
  batch.put(layout::kIdentityKey, std::move(identity));
  co_return co_await kv_.write(std::move(batch), Sync::kYes);
}

}  // namespace farshore::offsets
