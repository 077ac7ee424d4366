// Reading: where batches lie, slices of them, loading them.
#include <algorithm>

#include "broker/log/log_format.h"
#include "broker/log/log_impl.h"

namespace farshore {

LogEnds LogImpl::ends() const {
  LogEnds e;
  e.log_start = e.local_log_start = log_start_;
  e.end = end_;
  e.flushed_end = flushed_end_;
  e.high_watermark = high_watermark_;
  e.last_stable = std::min(high_watermark_, producers_.first_unstable().value_or(high_watermark_));
  return e;
}

void LogImpl::set_high_watermark(Offset hw) {
  hw = std::min(hw, end_);
  if (hw <= high_watermark_) return;
  high_watermark_ = hw;
  producers_.on_high_watermark(hw);
}

LogEpoch LogImpl::epoch_at(Offset offset) const {
  if (offset < log_start_ || offset >= end_) return LogEpoch(-1);
  return epochs_.at(offset);
}

uint64_t LogImpl::size_bytes() const {
  uint64_t total = 0;
  for (const auto& [base, segment] : segments_) total += segment->size;
  return total;
}

LogImpl::SegmentPtr LogImpl::segment_at(Offset offset) const {
  if (segments_.empty()) return nullptr;  // while a reset is under way
  auto after = segments_.upper_bound(offset);
  return after == segments_.begin() ? after->second : std::prev(after)->second;
}

bool LogImpl::is_active(const SegmentPtr& segment) const { return !segments_.empty() && active() == segment; }

LogImpl::SegmentPtr LogImpl::segment_after(const Segment& segment) const {
  auto after = segments_.upper_bound(segment.base);
  return after == segments_.end() ? nullptr : after->second;
}

Offset LogImpl::bound_offset(ReadBound bound) const {
  switch (bound) {
    case ReadBound::kHighWatermark:
      return high_watermark_;
    case ReadBound::kLastStable:
      return ends().last_stable;
    case ReadBound::kLogEnd:
      return end_;
  }
  return high_watermark_;
}

Task<Result<std::optional<BatchPlace>>> LogImpl::walk(SegmentPtr segment, Offset offset) {
  auto entry = segment->index.at_or_below(offset);
  BatchScanner scanner(segment->file, entry ? entry->position : 0, segment->size, BatchScanner::Check::kHeaders);
  for (bool first = true;; first = false) {
    CO_TRY(auto batch, co_await scanner.next());
    if (!batch) co_return std::nullopt;
    const BatchHeader& header = batch->header;
    // An index entry is believed only if the batch is really there.
    if (header.first() < segment->base || (first && entry && header.last() != segment->index.offset_of(*entry)))
      co_return Error(ErrorCode::kCorrupt, segment->file->path() + ": the index points to another batch");
    if (header.last() >= offset) {
      BatchPlace place{header.first(), header.last(), batch->position};
      co_return place;
    }
  }
}

Task<Result<std::optional<BatchPlace>>> LogImpl::locate(SegmentPtr segment, Offset offset) {
  if (auto place = segment->in_tail(offset)) co_return place;
  if (offset >= segment->next) co_return std::nullopt;
  CO_CHECK(co_await ensure_indexes(segment));
  auto place = co_await walk(segment, offset);
  if (place || place.error() != ErrorCode::kCorrupt) co_return place;
  CO_CHECK(co_await rebuild_indexes(segment, place.error().detail));
  co_return co_await walk(segment, offset);
}

Task<Result<uint64_t>> LogImpl::slice_end(SegmentPtr segment, uint64_t begin, uint64_t bytes_max, uint64_t limit) {
  if (limit - begin <= bytes_max) co_return limit;
  CO_CHECK(co_await ensure_indexes(segment));
  auto entry = segment->index.at_or_before(begin + bytes_max);
  if (entry && entry->position > begin) {
    // The entry may lie: only a batch with the offset it states makes it a border.
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

Task<Result<LogSlice>> LogImpl::read(Offset from, ReadBound bound, size_t bytes_max) {
  Inside inside(gate_);
  CO_CHECK(usable());
  for (;;) {
    CO_CHECK(usable());
    if (from < log_start_ || from > end_) {
      co_return Error(ErrorCode::kOutOfRange, "offset " + std::to_string(from.value()) + " is outside " +
                                                  std::to_string(log_start_.value()) + " to " +
                                                  std::to_string(end_.value()));
    }
    LogSlice slice;
    slice.first = from;
    slice.ends = ends();
    const uint64_t generation = generation_;
    bool again = false;
    for (SegmentPtr segment = segment_at(from); segment && from < bound_offset(bound);
         segment = segment_after(*segment)) {
      auto place = co_await locate(segment, from);
      again = generation != generation_;
      if (again) break;
      if (!place) co_return std::move(place).error();
      if (!*place) continue;  // a gap up to the segment's end
      uint64_t limit = segment->size;
      if (Offset visible = bound_offset(bound); visible < segment->next) {
        auto border = co_await locate(segment, visible);
        again = generation != generation_;
        if (again) break;
        if (!border) co_return std::move(border).error();
        if (*border) limit = (*border)->position;
      }
      const uint64_t begin = (*place)->position;
      if (limit <= begin) break;
      auto end = co_await slice_end(segment, begin, bytes_max, limit);
      again = generation != generation_;
      if (again) break;
      if (!end) co_return std::move(end).error();
      slice.first = (*place)->first;
      slice.size_bytes = *end - begin;
      slice.ranges.push_back({segment->file, begin, slice.size_bytes});
      slice.ends = ends();
      break;
    }
    if (!again) co_return slice;
  }
}

Task<Result<BatchRun>> LogImpl::read_run(Offset from, ReadBound bound, size_t bytes_max) {
  Inside inside(gate_);
  CO_CHECK(usable());
  CO_TRY(LogSlice slice, co_await read(from, bound, bytes_max));
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

Task<Result<std::optional<BatchHeader>>> LogImpl::header_at(Offset offset) {
  for (SegmentPtr segment = segment_at(offset); segment; segment = segment_after(*segment)) {
    CO_TRY(auto place, co_await locate(segment, offset));
    if (!place) continue;
    std::array<std::byte, kBatchHeaderBytes> raw;
    CO_TRY(size_t n, co_await segment->file->read_at(place->position, raw));
    CO_TRY(auto header, BatchHeader::parse(ConstBytes(raw).first(n)));
    co_return header;
  }
  co_return std::nullopt;
}

}  // namespace farshore
