#include "broker/log/internal/batch_locator.h"

#include <algorithm>

#include "broker/log/internal/log_format.h"
#include "broker/log/internal/segment_scan.h"

namespace farshore {

namespace {

// The index files must be made again.
bool index_unusable(const Error& error) { return error == ErrorCode::kCorrupt || error == ErrorCode::kNotFound; }

}  // namespace

Task<Result<std::optional<BatchPlace>>> BatchLocator::walk_to(SegmentPtr segment, Offset offset) {
  CO_TRY(auto entry, co_await indexes_.at_or_below(segment, offset));
  BatchScanner scanner(directory_.env(), segment->file, entry ? entry->position : 0, segment->size,
                       BatchScanner::Check::kHeaders);
  for (bool first = true;; first = false) {
    CO_TRY(auto batch, co_await scanner.next());
    if (!batch) co_return std::nullopt;
    const BatchHeader& header = batch->header;
    if (header.first() < segment->base || (first && entry && header.last() != segment->index.offset_of(*entry)))
      co_return Error(ErrorCode::kCorrupt, segment->file->path() + ": the index points to another batch");
    if (header.last() >= offset) {
      BatchPlace place{header.first(), header.last(), batch->position};
      co_return place;
    }
  }
}

Task<Result<std::optional<BatchPlace>>> BatchLocator::locate(SegmentPtr segment, Offset offset) {
  if (auto place = segment->find_in_tail(offset)) co_return place;
  if (offset >= segment->next) co_return std::nullopt;
  auto place = co_await walk_to(segment, offset);
  if (place || !index_unusable(place.error())) co_return place;
  CO_CHECK(co_await rebuild_indexes(segment, place.error().to_string()));
  co_return co_await walk_to(segment, offset);
}

Task<Result<std::optional<BatchHeader>>> BatchLocator::header_at(Offset offset) {
  for (SegmentPtr segment = state_.segments.at(offset); segment; segment = state_.segments.after(*segment)) {
    CO_TRY(auto place, co_await locate(segment, offset));
    if (!place) continue;
    std::array<std::byte, kBatchHeaderBytes> raw;
    CO_TRY(size_t n, co_await segment->file->read_at(place->position, raw));
    CO_TRY(auto header, BatchHeader::parse(ConstBytes(raw).first(n)));
    co_return header;
  }
  co_return std::nullopt;
}

Task<Result<BatchLocator::SliceEnd>> BatchLocator::slice_end(SegmentPtr segment, uint64_t begin, uint64_t bytes_max,
                                                             SliceEnd limit) {
  if (limit.position - begin <= bytes_max) co_return limit;
  auto entry = co_await indexes_.at_or_before(segment, begin + bytes_max);
  if (!entry && !index_unusable(entry.error())) co_return std::move(entry).error();
  if (entry && *entry && (*entry)->position > begin) {
    // The entry may be wrong: its position is between two batches only if the batch with its offset begins there.
    auto place = co_await locate(segment, segment->index.offset_of(**entry));
    if (!place) co_return std::move(place).error();
    if (*place && (*place)->position == (*entry)->position) co_return SliceEnd((*place)->position, (*place)->first);
  }
  BatchScanner scanner(directory_.env(), segment->file, begin, limit.position, BatchScanner::Check::kHeaders);
  SliceEnd end(begin, limit.next);
  for (;;) {
    CO_TRY(auto batch, co_await scanner.next());
    if (!batch || (end.position > begin && batch->end() - begin > bytes_max)) co_return end;
    end = SliceEnd(batch->end(), batch->header.next());
  }
}

Task<Result<NewestRecord>> BatchLocator::newest(SegmentPtr segment) {
  if (segment->newest) co_return *segment->newest;
  auto last = co_await indexes_.last_time(segment);
  if (!last && !index_unusable(last.error())) co_return std::move(last).error();
  if (!last) {
    CO_CHECK(co_await rebuild_indexes(segment, last.error().to_string()));
  } else if (!segment->newest) {
    segment->newest.emplace();
    if (*last) segment->newest = NewestRecord{(*last)->timestamp_ms, (*last)->offset};
  }
  co_return *segment->newest;
}

Task<Result<IndexReader::TimeEntry>> BatchLocator::time_entry(SegmentPtr segment, int64_t timestamp_ms) {
  auto entry = co_await indexes_.time_at_or_below(segment, timestamp_ms);
  if (entry || !index_unusable(entry.error())) co_return entry;
  CO_CHECK(co_await rebuild_indexes(segment, entry.error().to_string()));
  co_return co_await indexes_.time_at_or_below(segment, timestamp_ms);
}

Task<Status> BatchLocator::rebuild_indexes(SegmentPtr segment, std::string why) {
  auto fresh = std::make_shared<Segment>(segment->base, segment->file);
  CO_TRY(auto scan, co_await scan_segment(directory_.env(), fresh, segment->size, BatchScanner::Check::kHeaders,
                                          state_.options.index_interval_bytes, nullptr));
  if (scan.bad) co_return *scan.bad;
  const bool active = state_.segments.is_active(segment);
  if (active && fresh->size < segment->size) co_return ok();  // appended to meanwhile; the next lookup decides
  if (!active) fresh->finish_times();
  segment->index = std::move(fresh->index);
  segment->times = std::move(fresh->times);
  segment->indexes_in_memory = true;
  segment->newest = fresh->newest ? *fresh->newest : NewestRecord();
  segment->bytes_since_index = fresh->bytes_since_index;
  state_.report.rebuilt.push_back(log_format::file_name(segment->base, log_format::kOffsetIndex) + ": " + why);
  directory_.env().log().warn("rebuilt the indexes of a segment",
                              {{"directory", directory_.path()}, {"base_offset", segment->base}, {"why", why}});
  // The files of a segment that was removed or replaced meanwhile are gone, or belong to another one.
  if (active || !state_.segments.has(segment)) co_return ok();
  auto written = co_await directory_.segments().write_offset_and_time_index(segment);
  if (!written && LogHealth::refused(written.error())) co_return ok();  // then they stay in memory
  if (written && !state_.segments.is_active(segment)) segment->leave_indexes_to_files();
  co_return written;
}

}  // namespace farshore
