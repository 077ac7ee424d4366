#include "broker/log/internal/cleaner.h"

#include <algorithm>

#include "broker/log/internal/log_format.h"
#include "broker/log/internal/write_file.h"

namespace farshore {

using namespace log_format;
using Durability = CheckpointFile::Durability;

Task<Result<uint64_t>> Cleaner::clean() {
  if (!compacts(state_.options.cleanup_policy) || state_.options.follows_source || running_) co_return 0;
  running_ = true;
  auto removed = co_await pass();
  running_ = false;
  co_return removed;
}

Task<Result<uint64_t>> Cleaner::pass() {
  CO_TRY(Group segments, co_await cleanable(now_ms(), state_.ends().last_stable));
  if (!dirty_enough(segments)) co_return 0;
  // Cleaning leaves gaps between segments. Recovery takes such gaps above the recovery point for lost data, so only
  // what lies below it is cleaned.
  CO_CHECK(co_await flusher_.flush());
  std::function<PartitionCheckpoint()> make = [this] { return state_.checkpoint(); };
  CO_CHECK(co_await directory_.checkpoint().save(make, Durability::kDurable));
  const uint64_t cuts = state_.segments.cuts();
  const Offset stable = std::min(state_.ends().last_stable, state_.flushed_end);
  CO_TRY(segments, co_await cleanable(now_ms(), stable));
  if (!dirty_enough(segments)) co_return 0;

  TxnHistory txns(state_, directory_, stable);
  KeyOffsets keys(directory_.env(), txns, state_.cleaned_to, state_.options.cleaner_dedupe_bytes,
                  offsets_to_read(segments));
  Group covered;  // the segments of which at least a part can be cleaned with these keys
  for (const auto& segment : segments) {
    bool fits = true;
    if (segment->next > state_.cleaned_to) {
      CO_TRY(fits, co_await keys.add(segment));
    }
    if (cuts != state_.segments.cuts()) co_return 0;
    if (keys.end() > segment->base || segment->next <= state_.cleaned_to) covered.push_back(segment);
    if (!fits) break;
  }
  if (keys.end() <= state_.cleaned_to)
    co_return Error(ErrorCode::kResourceExhausted, directory_.path() + ": more than " +
                                                       std::to_string(TxnHistory::kAbortedMax) +
                                                       " transactions were aborted during another one");
  co_return co_await clean_with(keys, txns, std::move(covered), cuts);
}

// The segments that may be cleaned, from the first one on.
Task<Result<Cleaner::Group>> Cleaner::cleanable(int64_t now_ms, Offset stable) {
  Group segments;
  const int64_t lag_ms = state_.options.min_compaction_lag_ms;
  SegmentPtr segment = state_.segments.empty() ? nullptr : state_.segments.first();
  for (; segment && !state_.segments.is_active(segment) && segment->next <= stable;
       segment = state_.segments.after(*segment)) {
    if (lag_ms > 0 && segment->next > state_.cleaned_to) {
      CO_TRY(auto newest, co_await locator_.newest(segment));
      // Records without timestamps are as old as our knowledge of their segment.
      if (now_ms - (newest.timestamp_ms >= 0 ? newest.timestamp_ms : segment->created_ms) < lag_ms) break;
    }
    segments.push_back(segment);
  }
  co_return segments;
}

// Whether so much of the segments was not cleaned yet that a pass is worth it.
bool Cleaner::dirty_enough(const Group& segments) const {
  uint64_t clean_bytes = 0, dirty_bytes = 0;
  for (const auto& segment : segments)
    (segment->next <= state_.cleaned_to ? clean_bytes : dirty_bytes) += segment->size;
  return dirty_bytes > 0 && static_cast<double>(dirty_bytes) >=
                                state_.options.min_cleanable_ratio * static_cast<double>(clean_bytes + dirty_bytes);
}

uint64_t Cleaner::offsets_to_read(const Group& segments) const {
  uint64_t offsets = 0;
  for (const auto& segment : segments)
    if (segment->next > state_.cleaned_to)
      offsets += static_cast<uint64_t>(segment->next - std::max(segment->base, state_.cleaned_to));
  return offsets;
}

Task<Result<uint64_t>> Cleaner::clean_with(const KeyOffsets& keys, TxnHistory& txns, Group segments, uint64_t cuts) {
  SegmentRewriter rewriter(directory_.env(), keys, txns, rewriter_settings());
  const std::vector<Group> groups = make_groups(std::move(segments));
  uint64_t removed = 0;
  Offset cleaned_to = keys.end();
  for (const auto& group : groups) {
    CO_TRY(auto bytes, co_await clean_group(group, rewriter, cuts));
    if (!bytes) {
      cleaned_to = std::max(group.front()->base, state_.cleaned_to);  // what was cleaned before stays so
      break;
    }
    removed += *bytes;
  }
  auto guard = co_await writer_.lock();
  CO_CHECK(health_.usable());
  if (cuts != state_.segments.cuts()) co_return removed;
  state_.cleaned_to = std::min(cleaned_to, state_.end);
  CO_CHECK(co_await directory_.checkpoint().save(state_.checkpoint(), Durability::kCached));
  co_return removed;
}

SegmentRewriter::Settings Cleaner::rewriter_settings() const {
  SegmentRewriter::Settings settings;
  settings.now_ms = now_ms();
  settings.delete_horizon_ms = settings.now_ms + state_.options.delete_retention_ms;
  settings.index_interval_bytes = state_.options.index_interval_bytes;
  settings.last_of_producers = state_.producers.last_offsets();
  return settings;
}

// Small neighbours become one segment.
std::vector<Cleaner::Group> Cleaner::make_groups(Group segments) const {
  std::vector<Group> groups;
  uint64_t bytes = 0;
  for (auto& segment : segments) {
    const bool fits = !groups.empty() && bytes + segment->size <= state_.options.segment_bytes &&
                      segment->next - groups.back().front()->base <= kSegmentOffsetsMax;
    if (!fits) {
      groups.emplace_back();
      bytes = 0;
    }
    bytes += segment->size;
    groups.back().push_back(std::move(segment));
  }
  return groups;
}

Task<Result<std::optional<uint64_t>>> Cleaner::clean_group(Group group, SegmentRewriter& rewriter, uint64_t cuts) {
  const Offset base = group.front()->base;
  uint64_t before = 0;
  for (const auto& segment : group) before += segment->size;
  CO_TRY(auto cleaned, co_await directory_.segments().create(base, kCleaned));
  cleaned->created_ms = group.front()->created_ms;
  auto rewritten = co_await rewriter.rewrite(group, cleaned);
  const bool changed = rewritten && (*rewritten || group.size() > 1);
  Status written = rewritten ? ok() : Status(std::move(rewritten).error());
  bool swapped = false;
  if (changed) {
    written = co_await write_indexes(cleaned);
    if (written) written = co_await cleaned->file->sync();
    if (written) {
      CO_TRY(swapped, co_await swap_in(cleaned, std::move(group), cuts, *rewritten));
    }
  }
  if (!swapped) co_await remove_cleaned(base);
  CO_CHECK(written);
  if (changed && !swapped) co_return std::nullopt;
  co_return std::optional(swapped ? before - std::min(before, cleaned->size) : 0);
}

// What was written for nothing. A file that cannot be removed now goes at the next start.
Task<void> Cleaner::remove_cleaned(Offset base) {
  for (auto suffix : {kOffsetIndex, kTimeIndex, kTxnIndex, kLog})
    (void)co_await directory_.remove_if_there(file_name(base, suffix).append(kCleaned));
}

Task<Status> Cleaner::write_indexes(SegmentPtr cleaned) {
  cleaned->finish_times();
  const std::pair<std::string_view, std::string> indexes[] = {{kOffsetIndex, cleaned->index.encode()},
                                                              {kTimeIndex, cleaned->times.encode()},
                                                              {kTxnIndex, cleaned->txns->encode()}};
  for (const auto& [suffix, content] : indexes) {
    std::string name = file_name(cleaned->base, suffix).append(kCleaned);
    CO_CHECK(co_await write_file(directory_.files(), directory_.path_of(name), content, WriteDurability::kSynced));
  }
  co_return ok();
}

// Whoever compares this log with another one must know: a checkpoint that is older than the swap would hide it.
Task<Status> Cleaner::note_compacted(Offset to) {
  if (to <= state_.compacted_to) co_return ok();
  state_.compacted_to = to;
  co_return co_await directory_.checkpoint().save(state_.checkpoint(), Durability::kDurable);
}

// Replaces `group` by `cleaned`, in memory and on disk. False: a segment of the group was removed or replaced
// meanwhile, or the log was cut.
Task<Result<bool>> Cleaner::swap_in(SegmentPtr cleaned, Group group, uint64_t cuts, bool batches_changed) {
  auto guard = co_await writer_.lock();
  CO_CHECK(health_.usable());
  if (cuts != state_.segments.cuts()) co_return false;
  for (const auto& segment : group)
    if (!state_.segments.has(segment)) co_return false;
  if (batches_changed) CO_CHECK(co_await note_compacted(group.back()->next));
  Intent intent;
  intent.kind = Intent::Kind::kSwap;
  intent.start = cleaned->base;
  for (const auto& segment : group) intent.replaced.push_back(segment->base);
  auto noted = co_await directory_.intent().note(intent);
  if (!noted && LogHealth::refused(noted.error())) co_return std::move(noted).error();
  if (!noted) co_return health_.die(std::move(noted).error());
  cleaned->next = group.back()->next;
  cleaned->synced_size = cleaned->size;
  cleaned->name_synced = true;
  state_.segments.replace(group, cleaned);
  auto swapped = co_await directory_.segments().swap_in_cleaned(intent.start, intent.replaced);
  if (swapped) swapped = co_await directory_.intent().done();
  if (!swapped) co_return health_.die(std::move(swapped).error());
  cleaned->leave_indexes_to_files();
  state_.segments.keep_transactions_of(cleaned);
  co_return true;
}

}  // namespace farshore
