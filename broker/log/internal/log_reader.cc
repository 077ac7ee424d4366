#include "broker/log/internal/log_reader.h"

#include <algorithm>

#include "broker/log/internal/log_format.h"

namespace farshore {

Task<Result<LogSlice>> LogReader::find(Offset from, ReadBound bound, size_t bytes_max) {
  for (;;) {
    CO_CHECK(health_.usable());
    if (from < state_.log_start || from > state_.end) {
      co_return Error(ErrorCode::kOutOfRange, "offset " + std::to_string(from.value()) + " is outside " +
                                                  std::to_string(state_.log_start.value()) + " to " +
                                                  std::to_string(state_.end.value()));
    }
    LogSlice slice;
    slice.first = slice.next = from;
    slice.ends = state_.ends();
    CO_TRY(bool found, co_await try_find(from, bound, bytes_max, slice));
    if (found) co_return slice;
  }
}

Task<Result<bool>> LogReader::try_find(Offset from, ReadBound bound, size_t bytes_max, LogSlice& slice) {
  const SegmentSet& segments = state_.segments;
  const uint64_t generation = segments.generation();
  for (SegmentPtr segment = segments.at(from); segment && from < state_.bound(bound);
       segment = segments.after(*segment)) {
    auto place = co_await locator_.locate(segment, from);
    if (generation != segments.generation()) co_return false;
    if (!place) co_return std::move(place).error();
    if (!*place) continue;  // a gap up to the end of the segment
    BatchLocator::SliceEnd limit(segment->size, segment->next);
    if (Offset visible = state_.bound(bound); visible < segment->next) {
      auto border = co_await locator_.locate(segment, visible);
      if (generation != segments.generation()) co_return false;
      if (!border) co_return std::move(border).error();
      if (*border) limit = BatchLocator::SliceEnd((*border)->position, (*border)->first);
    }
    const uint64_t begin = (*place)->position;
    if (limit.position <= begin) co_return true;
    auto end = co_await locator_.slice_end(segment, begin, bytes_max, limit);
    if (generation != segments.generation()) co_return false;
    if (!end) co_return std::move(end).error();
    slice.first = (*place)->first;
    slice.next = end->next;
    slice.size_bytes = end->position - begin;
    slice.ranges.push_back({segment->file, begin, slice.size_bytes});
    slice.ends = state_.ends();
    co_return true;
  }
  co_return true;
}

Task<Result<BatchRun>> LogReader::load(LogSlice slice) {
  SliceList bytes;
  for (auto& range : slice.ranges) {
    for (uint64_t done = 0; done < range.length;) {
      SlabRef slab = arena_.allocate();
      auto wanted = static_cast<size_t>(std::min<uint64_t>(slab.size(), range.length - done));
      CO_TRY(size_t n, co_await range.file->read_at(range.position + done, MutableBytes(slab.data(), wanted)));
      if (n != wanted)
        co_return Error(ErrorCode::kConflict, range.file->path() + " was cut while it was read: read again");
      bytes.append(Slice(std::move(slab), 0, n));
      done += n;
    }
  }
  ParseBatches how;
  how.batch_bytes_max = static_cast<size_t>(log_format::kSegmentBytesMax);
  co_return parse_batches(std::move(bytes), how);
}

}  // namespace farshore
