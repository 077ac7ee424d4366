#include "broker/log/internal/batch_locator.h"

#include <algorithm>

#include "broker/log/internal/log_format.h"
#include "broker/log/internal/segment_scan.h"

namespace farshore {

Task<Result<std::optional<BatchPlace>>> BatchLocator::walk_to(SegmentPtr segment, Offset offset) {
  auto entry = segment->index.at_or_below(offset);
  BatchScanner scanner(segment->file, entry ? entry->position : 0, segment->size, BatchScanner::Check::kHeaders);
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
  CO_CHECK(co_await ensure_indexes(segment));
  auto place = co_await walk_to(segment, offset);
  if (place || place.error() != ErrorCode::kCorrupt) co_return place;
  CO_CHECK(co_await rebuild_indexes(segment, place.error().detail));
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

Task<Result<uint64_t>> BatchLocator::slice_end(SegmentPtr segment, uint64_t begin, uint64_t bytes_max, uint64_t limit) {
  if (limit - begin <= bytes_max) co_return limit;
  CO_CHECK(co_await ensure_indexes(segment));
  auto entry = segment->index.at_or_before(begin + bytes_max);
  if (entry && entry->position > begin) {
    // The entry may be wrong: its position is between two batches only if the batch with its offset begins there.
    auto place = co_await locate(segment, segment->index.offset_of(*entry));
    if (!place) co_return std::move(place).error();
    if (*place && (*place)->position == entry->position) co_return entry->position;
  }
  BatchScanner scanner(segment->file, begin, limit, BatchScanner::Check::kHeaders);
  uint64_t end = begin;
  for (;;) {
    CO_TRY(auto batch, co_await scanner.next());
    if (!batch || (end > begin && batch->end() - begin > bytes_max)) co_return end;
    end = batch->end();
  }
}

Task<Status> BatchLocator::ensure_indexes(SegmentPtr segment) {
  if (segment->indexes_loaded) co_return ok();
  auto loaded = co_await directory_.segments().load_indexes(segment);
  if (!loaded) {
    auto code = loaded.error().code;
    if (code != ErrorCode::kCorrupt && code != ErrorCode::kNotFound) co_return loaded;
    co_return co_await rebuild_indexes(segment, loaded.error().to_string());
  }
  state_.segments.note_loaded(segment);
  state_.segments.unload_old_indexes(segment);
  co_return ok();
}

Task<Status> BatchLocator::rebuild_indexes(SegmentPtr segment, std::string why) {
  auto fresh = std::make_shared<Segment>(segment->base, segment->file);
  CO_TRY(auto scan, co_await scan_segment(fresh, segment->size, BatchScanner::Check::kHeaders,
                                          state_.options.index_interval_bytes, nullptr));
  if (scan.bad) co_return *scan.bad;
  const bool active = state_.segments.is_active(segment);
  if (active && fresh->size < segment->size) co_return ok();  // appended to meanwhile; the next lookup decides
  if (!active) fresh->finish_times();
  segment->index = std::move(fresh->index);
  segment->times = std::move(fresh->times);
  segment->indexes_loaded = true;
  segment->max_timestamp_ms = fresh->max_timestamp_ms;
  segment->max_timestamp_offset = fresh->max_timestamp_offset;
  segment->max_timestamp_known = true;
  segment->bytes_since_index = fresh->bytes_since_index;
  state_.report.rebuilt.push_back(log_format::file_name(segment->base, log_format::kOffsetIndex) + ": " + why);
  directory_.env().log().warn("rebuilt the indexes of a segment",
                              {{"directory", directory_.path()}, {"base_offset", segment->base}, {"why", why}});
  if (active) co_return ok();
  state_.segments.note_loaded(segment);
  co_return co_await directory_.segments().write_offset_and_time_index(segment);
}

}  // namespace farshore
