#include "broker/log/internal/time_lookup.h"

#include <algorithm>

#include "broker/log/internal/batch_scanner.h"

namespace farshore {

Task<Result<TimeLookup::Answer>> TimeLookup::first_at_or_after(int64_t timestamp_ms) {
  Answer answer;
  SegmentSet& segments = state_.segments;
  const uint64_t generation = segments.generation();
  for (SegmentPtr segment = segments.at(state_.log_start); segment; segment = segments.after(*segment)) {
    auto newest = co_await locator_.newest(segment);
    answer.log_changed = generation != segments.generation();
    if (answer.log_changed) co_return answer;
    if (!newest) co_return std::move(newest).error();
    if (newest->timestamp_ms < timestamp_ms) continue;
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
  int64_t best_ms = -1;
  for (SegmentPtr segment = segments.at(state_.log_start); segment; segment = segments.after(*segment)) {
    auto newest_ms = co_await newest_readable(segment);
    answer.log_changed = generation != segments.generation();
    if (answer.log_changed) co_return answer;
    if (!newest_ms) co_return std::move(newest_ms).error();
    if (*newest_ms <= best_ms) continue;
    best = segment;
    best_ms = *newest_ms;
  }
  if (!best) co_return answer;
  auto found = co_await find_in(best, best_ms);
  answer.log_changed = generation != segments.generation();
  if (answer.log_changed) co_return answer;
  if (!found) co_return std::move(found).error();
  answer.record = *found;
  co_return answer;
}

// What is known of the whole segment holds for its readable part only if the batch that it comes from is readable. The
// log start may lie anywhere inside a segment, even inside a batch (DeleteRecords, a mirror that follows its source).
Task<Result<int64_t>> TimeLookup::newest_readable(SegmentPtr segment) {
  if (segment->size == 0) co_return int64_t{-1};
  CO_TRY(auto newest, co_await locator_.newest(segment));
  if (newest.timestamp_ms < 0 || segment->base >= state_.log_start) co_return newest.timestamp_ms;
  CO_TRY(auto place, co_await locator_.locate(segment, newest.offset));
  if (place && place->last == newest.offset && place->first >= state_.log_start) co_return newest.timestamp_ms;
  co_return co_await newest_from_log_start(segment);
}

Task<Result<int64_t>> TimeLookup::newest_from_log_start(SegmentPtr segment) {
  const Offset start = state_.log_start;
  int64_t newest_ms = -1;
  CO_TRY(auto place, co_await locator_.locate(segment, start));
  if (!place) co_return newest_ms;
  BatchScanner scanner(directory_.env(), segment->file, place->position, segment->size, BatchScanner::Check::kHeaders);
  for (;;) {
    CO_TRY(auto batch, co_await scanner.next());
    if (!batch) co_return newest_ms;
    const BatchHeader& header = batch->header;
    if (header.max_timestamp <= newest_ms || header.record_count == 0) continue;
    if (header.first() >= start) {
      newest_ms = header.max_timestamp;
      continue;
    }
    CO_TRY(auto bytes, co_await scanner.load());
    CO_TRY(auto reader, RecordReader::open(header, ConstBytes(bytes)));
    Record record;
    for (;;) {
      CO_TRY(bool more, reader.next(record));
      if (!more) break;
      if (record.offset >= start) newest_ms = std::max(newest_ms, record.timestamp_ms);
      if (scanner.turn().spend(record.size_bytes)) co_await scanner.turn().next_turn();
    }
  }
}

// Where in the segment a search may begin: at the batch of the nearest time index entry, or at 0.
Task<Result<uint64_t>> TimeLookup::search_start(SegmentPtr segment, int64_t timestamp_ms) {
  CO_TRY(auto entry, co_await locator_.time_entry(segment, timestamp_ms));
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
  CO_TRY(uint64_t begin, co_await search_start(segment, timestamp_ms));
  BatchScanner scanner(directory_.env(), segment->file, begin, segment->size, BatchScanner::Check::kHeaders);
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
      if (scanner.turn().spend(record.size_bytes)) co_await scanner.turn().next_turn();
    }
  }
}

}  // namespace farshore
