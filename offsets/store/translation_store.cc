#include "offsets/store/translation_store.h"

#include <algorithm>
#include <limits>

#include "offsets/store/layout.h"

namespace farshore::offsets {
namespace {

using Rows = std::vector<std::pair<std::string, std::string>>;
constexpr size_t kPage = 128;
constexpr LogEpoch kNewest{std::numeric_limits<int32_t>::max() - 1};

bool before(const TranslationRun& a, const TranslationRun& b) {
  return std::pair(a.source_epoch, a.source) < std::pair(b.source_epoch, b.source);
}

void put(KvBatch& batch, const LinkPartition& key, const TranslationRun& run) {
  batch.put(layout::run_key(key, run.source_epoch, run.source), layout::run_value(run));
  batch.put(layout::target_key(key, run.target), layout::target_value(run));
}

void erase(KvBatch& batch, const LinkPartition& key, const TranslationRun& run) {
  batch.erase(layout::run_key(key, run.source_epoch, run.source));
  batch.erase(layout::target_key(key, run.target));
}

// The row of the 'r' table that comes last in [begin, end), or first.
Task<Result<std::optional<TranslationRun>>> last_in(KvStore& kv, std::string begin, std::string end) {
  CO_TRY(Rows rows, co_await kv.scan_reverse(std::move(begin), std::move(end), 1));
  if (rows.empty()) co_return std::optional<TranslationRun>();
  CO_TRY(TranslationRun run, layout::read_run(rows.front().first, rows.front().second));
  co_return std::optional<TranslationRun>(run);
}

Task<Result<std::optional<TranslationRun>>> first_in(KvStore& kv, std::string begin, std::string end) {
  CO_TRY(Rows rows, co_await kv.scan(std::move(begin), std::move(end), 1));
  if (rows.empty()) co_return std::optional<TranslationRun>();
  CO_TRY(TranslationRun run, layout::read_run(rows.front().first, rows.front().second));
  co_return std::optional<TranslationRun>(run);
}

Translated at_target(TargetOffset offset, LogEpoch epoch, bool exact) { return {offset.value(), epoch, exact}; }
Translated at_source(SourceOffset offset, LogEpoch epoch, bool exact) { return {offset.value(), epoch, exact}; }

}  // namespace

Task<Status> TranslationStore::put_run(LinkPartition key, TranslationRun run, Sync sync) {
  if (run.length < 0 || run.source.value() < 0 || run.target.value() < 0 || run.source_epoch.value() < -1 ||
      run.source_epoch > kNewest)
    co_return Error(ErrorCode::kInvalidArgument, "a run with numbers that cannot be");
  KvBatch batch;
  std::string end = layout::prefix_end(layout::kRunRows, key);
  // From the newest backwards, what this run contradicts; the order is the same in both offsets, so it is a tail.
  for (bool more = true; more;) {
    CO_TRY(Rows rows, co_await kv_.scan_reverse(layout::prefix(layout::kRunRows, key), end, kPage));
    more = rows.size() == kPage;
    for (const auto& [row_key, value] : rows) {
      CO_TRY(TranslationRun old, layout::read_run(row_key, value));
      const bool after = !before(old, run) || old.target >= run.target;
      if (after) {
        offsets::erase(batch, key, old);
        continue;
      }
      int64_t kept = std::min<int64_t>(old.length, run.target - old.target);
      if (old.source_epoch == run.source_epoch) kept = std::min<int64_t>(kept, run.source - old.source);
      if (kept < old.length) {
        old.length = kept;
        offsets::put(batch, key, old);
      }
      more = false;
      break;
    }
    if (!rows.empty()) end = rows.back().first;
  }
  if (run.length > 0) offsets::put(batch, key, run);
  if (batch.empty()) co_return ok();
  co_return co_await kv_.write(std::move(batch), sync);
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
  KvBatch batch;
  for (size_t seen = kPage; seen == kPage;) {
    CO_TRY(auto above, co_await runs_above(key, target, kPage));
    seen = above.size();
    for (TranslationRun& run : above) {
      if (run.target >= target) {
        offsets::erase(batch, key, run);
      } else {
        run.length = target - run.target;
        offsets::put(batch, key, run);
      }
    }
    // Also where nothing changes: what was lowered before is durable then.
    CO_CHECK(co_await kv_.write(std::exchange(batch, KvBatch()), Sync::kYes));
  }
  co_return ok();
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
  std::string row = layout::run_key(key, epoch, source);
  CO_TRY(auto value, co_await kv_.get(row));
  if (!value) co_return ok();
  CO_TRY(TranslationRun run, layout::read_run(row, *value));
  KvBatch batch;
  offsets::erase(batch, key, run);
  co_return co_await kv_.write(std::move(batch), Sync::kNo);
}

Task<Status> TranslationStore::erase_anchor(LinkPartition key, RelayAnchor anchor) {
  KvBatch batch;
  batch.erase(layout::anchor_key(key, anchor));
  co_return co_await kv_.write(std::move(batch), Sync::kNo);
}

Task<Status> TranslationStore::erase(LinkPartition key) {
  KvBatch batch;
  for (char table : {layout::kRunRows, layout::kTargetRows, layout::kAnchorRows, layout::kUnloggedRows})
    batch.erase_range(layout::prefix(table, key), layout::prefix_end(table, key));
  co_return co_await kv_.write(std::move(batch), Sync::kNo);
}

Task<Status> TranslationStore::clear() {
  KvBatch batch;
  batch.erase_range(std::string(1, '\0'), "\xff");
  co_return co_await kv_.write(std::move(batch), Sync::kYes);
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
  CO_TRY(out.last_run,
         co_await last_in(kv_, layout::prefix(layout::kRunRows, key), layout::prefix_end(layout::kRunRows, key)));
  co_return out;
}

Task<Result<std::vector<TranslationRun>>> TranslationStore::runs(LinkPartition key, SourceOffset from,
                                                                 size_t items_max) {
  std::vector<TranslationRun> out;
  if (items_max == 0) co_return out;
  CO_TRY(auto lineage, co_await lineage_epoch(key, from, kNewest));
  std::string begin = layout::prefix(layout::kRunRows, key);
  if (lineage) {
    begin = layout::run_key(key, *lineage, from);
    // The one that begins below may reach beyond.
    CO_TRY(auto reaching, co_await last_in(kv_, layout::run_key(key, *lineage, SourceOffset(0)), begin));
    if (reaching && reaching->source_end() > from) out.push_back(*reaching);
  }
  CO_TRY(Rows rows, co_await kv_.scan(begin, layout::prefix_end(layout::kRunRows, key), items_max - out.size()));
  for (const auto& [row_key, value] : rows) {
    CO_TRY(TranslationRun run, layout::read_run(row_key, value));
    out.push_back(run);
  }
  co_return out;
}

Task<Result<std::vector<TranslationRun>>> TranslationStore::runs_above(LinkPartition key, TargetOffset target,
                                                                       size_t items_max) {
  std::vector<TranslationRun> out;
  std::string begin = layout::prefix(layout::kTargetRows, key);
  CO_TRY(Rows rows, co_await kv_.scan_reverse(begin, layout::prefix_end(layout::kTargetRows, key), items_max));
  for (const auto& [row_key, value] : rows) {
    CO_TRY(TranslationRun run, layout::read_target(row_key, value));
    if (run.target_end() <= target) break;
    out.push_back(run);
  }
  co_return out;
}

// The newest epoch, at most `epoch_max`, that had begun at `offset`: as Kafka's leader epoch cache answers. None: the
// offset lies below all that is known.
Task<Result<std::optional<LogEpoch>>> TranslationStore::lineage_epoch(LinkPartition key, SourceOffset offset,
                                                                      LogEpoch epoch_max) {
  const std::string begin = layout::prefix(layout::kRunRows, key);
  std::string end = layout::run_key(key, epoch_max + 1, SourceOffset(0));
  for (;;) {
    CO_TRY(auto last, co_await last_in(kv_, begin, end));
    if (!last) co_return std::optional<LogEpoch>();
    const LogEpoch epoch = last->source_epoch;
    end = layout::run_key(key, epoch, SourceOffset(0));
    CO_TRY(auto first, co_await first_in(kv_, end, layout::run_key(key, epoch + 1, SourceOffset(0))));
    if (first && first->source <= offset) co_return std::optional<LogEpoch>(epoch);
  }
}

Task<Error> TranslationStore::not_translated(LinkPartition key, std::string what) {
  auto any = co_await last_in(kv_, layout::prefix(layout::kRunRows, key), layout::prefix_end(layout::kRunRows, key));
  if (!any) co_return std::move(any).error();
  if (!*any) co_return Error(ErrorCode::kNotFound, "nothing was relayed of this partition");
  co_return Error(ErrorCode::kOutOfRange, std::move(what));
}

Task<Result<Translated>> TranslationStore::to_target(LinkPartition key, SourceOffset offset,
                                                     std::optional<LogEpoch> epoch) {
  const std::string text = "source offset " + std::to_string(offset.value());
  CO_TRY(auto lineage, co_await lineage_epoch(key, offset, epoch.value_or(kNewest)));
  if (!lineage) co_return co_await not_translated(key, text + " lies below the first record that was relayed");
  const std::string above = layout::run_key(key, *lineage, offset + 1);
  CO_TRY(auto at, co_await last_in(kv_, layout::run_key(key, *lineage, SourceOffset(0)), above));
  if (at && offset < at->source_end()) co_return at_target(at->target + (offset - at->source), *lineage, true);
  CO_TRY(auto next, co_await first_in(kv_, above, layout::prefix_end(layout::kRunRows, key)));
  if (next) co_return at_target(next->target, next->source_epoch, false);
  if (at && offset == at->source_end()) co_return at_target(at->target_end(), *lineage, true);
  co_return co_await not_translated(key, text + " is beyond what the target has acknowledged");
}

Task<Result<Translated>> TranslationStore::to_source(LinkPartition key, TargetOffset offset) {
  const std::string text = "target offset " + std::to_string(offset.value());
  std::string begin = layout::prefix(layout::kTargetRows, key), end = layout::prefix_end(layout::kTargetRows, key);
  std::string above = layout::target_key(key, offset + 1);
  CO_TRY(Rows below, co_await kv_.scan_reverse(begin, above, 1));
  if (below.empty()) co_return co_await not_translated(key, text + " lies below the first record that was relayed");
  CO_TRY(TranslationRun at, layout::read_target(below.front().first, below.front().second));
  if (offset < at.target_end()) co_return at_source(at.source + (offset - at.target), at.source_epoch, true);
  CO_TRY(Rows rows, co_await kv_.scan(above, end, 1));
  if (!rows.empty()) {
    CO_TRY(TranslationRun next, layout::read_target(rows.front().first, rows.front().second));
    co_return at_source(next.source, next.source_epoch, false);
  }
  if (offset == at.target_end()) co_return at_source(at.source_end(), at.source_epoch, true);
  co_return co_await not_translated(key, text + " is beyond what was relayed");
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
  co_return value.value_or(std::string());
}

Task<Status> TranslationStore::set_log_identity(std::string identity) {
  KvBatch batch;
  batch.put(layout::kIdentityKey, std::move(identity));
  co_return co_await kv_.write(std::move(batch), Sync::kYes);
}

}  // namespace farshore::offsets
