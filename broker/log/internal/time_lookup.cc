#include "broker/log/internal/time_lookup.h"

#include "broker/log/internal/batch_scanner.h"

namespace farshore {

Task<Result<TimeLookup::Answer>> TimeLookup::first_at_or_after(int64_t timestamp_ms) {
  Answer answer;
  SegmentSet& segments = state_.segments;
  const uint64_t generation = segments.generation();
  for (SegmentPtr segment = segments.at(state_.log_start); segment; segment = segments.after(*segment)) {
    if (!segment->max_timestamp_known) CO_CHECK(co_await locator_.ensure_indexes(segment));
    answer.log_changed = generation != segments.generation();
    if (answer.log_changed) co_return answer;
    if (segment->max_timestamp_ms < timestamp_ms) continue;
    auto found = co_await find_in(segment, timestamp_ms);
    answer.log_changed = generation != segments.generation();
    if (answer.log_changed) co_return answer;
    if (!found) co_return std::move(found).error();
    answer.record = *found;
    if (answer.record) break;
  }
  co_return answer;
}

Task<Result<TimeLookup::Answer>> TimeLookup::with_largest_timestamp() {
  Answer answer;
  SegmentSet& segments = state_.segments;
  const uint64_t generation = segments.generation();
  SegmentPtr best;
  for (SegmentPtr segment = segments.at(state_.log_start); segment; segment = segments.after(*segment)) {
    if (!segment->max_timestamp_known) CO_CHECK(co_await locator_.ensure_indexes(segment));
    answer.log_changed = generation != segments.generation();
    if (answer.log_changed) co_return answer;
    if (segment->size > 0 && (!best || segment->max_timestamp_ms > best->max_timestamp_ms)) best = segment;
  }
  if (!best || best->max_timestamp_ms < 0) co_return answer;
  auto found = co_await find_in(best, best->max_timestamp_ms);
  answer.log_changed = generation != segments.generation();
  if (answer.log_changed) co_return answer;
  if (!found) co_return std::move(found).error();
  answer.record = *found;
  co_return answer;
}

// Where in the segment a search may begin: at the batch of the nearest time index entry, or at 0.
Task<Result<uint64_t>> TimeLookup::search_start(SegmentPtr segment, int64_t timestamp_ms) {
  auto entry = segment->times.at_or_below(timestamp_ms);
  if (!entry) co_return uint64_t{0};
  CO_TRY(auto place, co_await locator_.locate(segment, entry->offset));
  std::array<std::byte, kBatchHeaderBytes> raw{};
  size_t n = 0;
  if (place) {
    CO_TRY(n, co_await segment->file->read_at(place->position, raw));
  }
  auto header = BatchHeader::parse(ConstBytes(raw).first(n));
  if (header && header->last() == entry->offset && header->max_timestamp == entry->timestamp_ms)
    co_return place->position;
  CO_CHECK(co_await locator_.rebuild_indexes(segment, "the time index points to another batch"));
  co_return uint64_t{0};
}

Task<Result<std::optional<OffsetAndTime>>> TimeLookup::find_in(SegmentPtr segment, int64_t timestamp_ms) {
  CO_CHECK(co_await locator_.ensure_indexes(segment));
  CO_TRY(uint64_t begin, co_await search_start(segment, timestamp_ms));
  BatchScanner scanner(segment->file, begin, segment->size, BatchScanner::Check::kHeaders);
  for (;;) {
    CO_TRY(auto batch, co_await scanner.next());
    if (!batch) co_return std::nullopt;
    const BatchHeader& header = batch->header;
    if (header.max_timestamp < timestamp_ms || header.last() < state_.log_start) continue;
    CO_TRY(auto bytes, co_await scanner.load());
    CO_TRY(auto reader, RecordReader::open(header, ConstBytes(bytes)));
    Record record;
    for (;;) {
      CO_TRY(bool more, reader.next(record));
      if (!more) break;
      if (record.timestamp_ms >= timestamp_ms && record.offset >= state_.log_start)
        co_return OffsetAndTime{record.offset, record.timestamp_ms, header.epoch()};
    }
  }
}

}  // namespace farshore
