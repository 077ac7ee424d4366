#include "broker/log/internal/cleaner.h"

#include <algorithm>

#include "broker/log/internal/log_format.h"
#include "broker/log/internal/write_file.h"

namespace farshore {

using namespace log_format;
using Durability = CheckpointFile::Durability;

Task<Result<uint64_t>> Cleaner::clean() {
  if (state_.options.cleanup_policy == CleanupPolicy::kDelete || state_.options.follows_source || running_) co_return 0;
  running_ = true;
  auto removed = co_await pass();
  running_ = false;
  co_return removed;
}

Task<Result<uint64_t>> Cleaner::pass() {
  const uint64_t generation = state_.segments.generation();
  const int64_t now_ms = directory_.env().wall_now().milliseconds_since_epoch;
  // Cleaning leaves gaps between segments. Recovery takes such gaps above the recovery point for lost data, so only
  // what lies below it is cleaned.
  CO_CHECK(co_await flusher_.flush());
  CO_CHECK(co_await directory_.checkpoint().save(state_.checkpoint(), Durability::kDurable));
  Group segments = cleanable(now_ms);
  if (segments.empty()) co_return 0;

  KeyOffsets keys;
  CO_TRY(size_t count, co_await read_keys(segments, generation, keys));
  if (count == 0) co_return 0;
  segments.resize(count);
  const Offset keys_end = segments.back()->next;

  SegmentRewriter::Settings settings;
  settings.now_ms = now_ms;
  settings.delete_horizon_ms = now_ms + state_.options.delete_retention_ms;
  settings.index_interval_bytes = state_.options.index_interval_bytes;
  settings.last_of_producer = state_.producers.last_offsets();
  SegmentRewriter rewriter(keys, std::move(settings));
  const std::vector<Group> groups = make_groups(std::move(segments));
  uint64_t removed = 0;
  for (const auto& group : groups) {
    CO_TRY(uint64_t bytes, co_await clean_group(group, rewriter));
    removed += bytes;
  }
  auto guard = co_await writer_.lock();
  CO_CHECK(health_.usable());
  state_.cleaned_to = std::min(keys_end, state_.end);
  CO_CHECK(co_await directory_.checkpoint().save(state_.checkpoint(), Durability::kCached));
  co_return removed;
}

// The segments that may be cleaned, from the first one on. None if too few of their bytes are dirty (not cleaned yet).
Cleaner::Group Cleaner::cleanable(int64_t now_ms) const {
  const LogOptions& options = state_.options;
  const Offset stable = std::min(state_.ends().last_stable, state_.flushed_end);
  Group segments;
  uint64_t clean_bytes = 0, dirty_bytes = 0;
  for (const auto& [base, segment] : state_.segments.all()) {
    if (state_.segments.is_active(segment) || segment->next > stable) break;
    if (options.min_compaction_lag_ms > 0 && now_ms - segment->max_timestamp_ms < options.min_compaction_lag_ms) break;
    (segment->next <= state_.cleaned_to ? clean_bytes : dirty_bytes) += segment->size;
    segments.push_back(segment);
  }
  if (dirty_bytes == 0) return {};
  const double ratio = static_cast<double>(dirty_bytes) / static_cast<double>(clean_bytes + dirty_bytes);
  if (ratio < options.min_cleanable_ratio) return {};
  return segments;
}

// Reads the keys of the dirty ones among `segments`. Returns how many of `segments`, from the first one on, can be
// cleaned with these keys. 0: the log was cut meanwhile.
Task<Result<size_t>> Cleaner::read_keys(Group segments, uint64_t generation, KeyOffsets& keys) {
  size_t count = 0;
  bool dirty_one_fits = false;
  for (; count < segments.size(); ++count) {
    if (segments[count]->next <= state_.cleaned_to) continue;
    CO_TRY(bool fits, co_await keys.add(segments[count], state_.cleaned_to));
    if (generation != state_.segments.generation()) co_return size_t{0};
    if (!fits) break;
    dirty_one_fits = true;
  }
  if (!dirty_one_fits)
    co_return Error(ErrorCode::kResourceExhausted, "the keys of one segment need more than " +
                                                       std::to_string(KeyOffsets::kBytesMax) +
                                                       " bytes: " + directory_.path());
  co_return count;
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

Task<Result<uint64_t>> Cleaner::clean_group(Group group, const SegmentRewriter& rewriter) {
  const uint64_t generation = state_.segments.generation();
  const Offset base = group.front()->base;
  uint64_t before = 0;
  for (const auto& segment : group) before += segment->size;
  CO_TRY(auto cleaned, co_await directory_.segments().create(base, kCleaned));
  cleaned->created_ms = group.front()->created_ms;
  auto written = co_await rewriter.rewrite(group, cleaned);
  if (!written || (group.size() == 1 && cleaned->size == before)) {
    (void)co_await directory_.files().remove(cleaned->file->path());
    if (!written) co_return std::move(written).error();
    co_return 0;
  }
  CO_CHECK(co_await write_indexes(cleaned));
  CO_CHECK(co_await cleaned->file->sync());
  CO_TRY(bool swapped, co_await swap_in(cleaned, std::move(group), generation));
  if (!swapped) co_return 0;
  co_return before - std::min(before, cleaned->size);
}

Task<Status> Cleaner::write_indexes(SegmentPtr cleaned) {
  cleaned->finish_times();
  const std::pair<std::string_view, std::string> indexes[] = {
      {kOffsetIndex, cleaned->index.encode()}, {kTimeIndex, cleaned->times.encode()}, {kTxnIndex, std::string()}};
  for (const auto& [suffix, content] : indexes) {
    std::string name = file_name(cleaned->base, suffix).append(kCleaned);
    CO_CHECK(co_await write_file(directory_.files(), directory_.path_of(name), content, WriteDurability::kSynced));
  }
  co_return ok();
}

// Replaces `group` by `cleaned`, in memory and on disk. False: the log was cut meanwhile; the next pass overwrites the
// cleaned files, or the next start removes them.
Task<Result<bool>> Cleaner::swap_in(SegmentPtr cleaned, Group group, uint64_t generation) {
  auto guard = co_await writer_.lock();
  CO_CHECK(health_.usable());
  if (generation != state_.segments.generation()) co_return false;
  Intent intent;
  intent.kind = Intent::Kind::kSwap;
  intent.start = cleaned->base;
  for (const auto& segment : group) intent.replaced.push_back(segment->base);
  auto noted = co_await directory_.intent().note(intent);
  if (!noted && noted.error() == ErrorCode::kNoSpace) co_return std::move(noted).error();
  if (!noted) co_return health_.die(std::move(noted).error());
  cleaned->next = group.back()->next;
  cleaned->synced_size = cleaned->size;
  cleaned->name_synced = true;
  state_.segments.replace(group, cleaned);
  auto swapped = co_await directory_.segments().swap_in_cleaned(intent.start, intent.replaced);
  if (swapped) swapped = co_await directory_.intent().done();
  if (!swapped) co_return health_.die(std::move(swapped).error());
  co_return true;
}

}  // namespace farshore
