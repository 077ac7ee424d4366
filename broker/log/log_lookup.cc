// Indexes of old segments (loaded when needed, checked, rebuilt), lookups by time, aborted transactions.
#include <algorithm>

#include "broker/log/log_format.h"
#include "broker/log/log_impl.h"

namespace farshore {
namespace {

constexpr size_t kLoadedIndexesMax = 4;  // of old segments, per log: at most some 2 MiB each

}  // namespace

Task<Status> LogImpl::ensure_indexes(SegmentPtr segment) {
  if (segment->indexes_loaded) co_return ok();
  auto loaded = co_await load_indexes(env_, directory_, segment);
  if (!loaded) {
    auto code = loaded.error().code;
    if (code != ErrorCode::kCorrupt && code != ErrorCode::kNotFound) co_return loaded;
    co_return co_await rebuild_indexes(segment, loaded.error().to_string());
  }
  loaded_.push_back(segment);
  std::erase_if(loaded_, [](const auto& weak) { return weak.expired(); });
  while (loaded_.size() > kLoadedIndexesMax) {
    SegmentPtr old = loaded_.front().lock();
    loaded_.erase(loaded_.begin());
    if (!old || old == segment || is_active(old)) continue;
    old->indexes_loaded = false;
    old->index = OffsetIndex(old->base);
    old->times = TimeIndex(old->base);
  }
  co_return ok();
}

Task<Status> LogImpl::rebuild_indexes(SegmentPtr segment, std::string why) {
  auto fresh = std::make_shared<Segment>(segment->base, segment->file);
  CO_TRY(auto scan, co_await scan_segment(fresh, segment->size, BatchScanner::Check::kHeaders,
                                          options_.index_interval_bytes, nullptr));
  if (scan.bad) co_return *scan.bad;
  const bool growing = is_active(segment);
  if (growing && fresh->size < segment->size) co_return ok();  // appended to meanwhile; the next lookup decides
  if (!growing) fresh->finish_times();
  segment->index = std::move(fresh->index);
  segment->times = std::move(fresh->times);
  segment->indexes_loaded = true;
  segment->max_timestamp_ms = fresh->max_timestamp_ms;
  segment->max_timestamp_offset = fresh->max_timestamp_offset;
  segment->max_timestamp_known = true;
  segment->bytes_since_index = fresh->bytes_since_index;
  recovery_.rebuilt.push_back(log_format::file_name(segment->base, log_format::kOffsetIndex) + ": " + why);
  env_.log().warn("rebuilt the indexes of a segment",
                  {{"directory", directory_}, {"base_offset", segment->base}, {"why", why}});
  if (growing) co_return ok();
  loaded_.push_back(segment);
  CO_CHECK(co_await ensure_txns(segment));
  co_return co_await write_indexes(env_, directory_, segment);
}

Task<Result<bool>> LogImpl::txns_agree(const TxnIndex& txns) {
  for (const auto& entry : txns.entries()) {
    CO_TRY(auto marker, co_await header_at(entry.txn.last));
    if (!marker || marker->first() > entry.txn.last || !marker->control() ||
        marker->producer_id != entry.txn.producer_id)
      co_return false;
    if (entry.txn.first < segments_.begin()->first) continue;  // deleted by retention
    CO_TRY(auto first, co_await header_at(entry.txn.first));
    if (first && first->first() == entry.txn.first && first->producer_id != entry.txn.producer_id) co_return false;
  }
  co_return true;
}

Task<Status> LogImpl::ensure_txns(SegmentPtr segment) {
  if (segment->txns) co_return ok();
  std::string name = log_format::file_name(segment->base, log_format::kTxnIndex);
  auto content = co_await read_file(files_, path(name));
  std::string why;
  if (content) {
    auto decoded = TxnIndex::decode(*content, segment->base, segment->next);
    if (decoded) {
      CO_TRY(bool agree, co_await txns_agree(*decoded));
      if (agree) {
        if (!segment->txns) segment->txns = std::move(decoded).value();
        co_return ok();
      }
      why = "it disagrees with the log";
    } else {
      why = decoded.error().detail;
    }
  } else if (content.error() == ErrorCode::kNotFound) {
    why = "it is missing";
  } else {
    co_return std::move(content).error();
  }
  CO_TRY(ProducerState producers, co_await producers_at(segment->base));
  auto fresh = std::make_shared<Segment>(segment->base, segment->file);
  CO_TRY(auto scan, co_await scan_segment(fresh, segment->size, BatchScanner::Check::kHeaders,
                                          options_.index_interval_bytes, &producers));
  if (scan.bad) co_return *scan.bad;
  if (segment->txns) co_return ok();
  segment->txns = std::move(fresh->txns);
  recovery_.rebuilt.push_back(name + ": " + why);
  co_return co_await write_file(files_, path(name), segment->txns->encode(), false);
}

Task<Result<std::vector<AbortedTxn>>> LogImpl::aborted_in(Offset from, Offset to) {
  Inside inside(gate_);
  CO_CHECK(usable());
  for (;;) {
    CO_CHECK(usable());
    std::vector<AbortedTxn> found;
    const uint64_t generation = generation_;
    for (SegmentPtr segment = segment_at(from); segment; segment = segment_after(*segment)) {
      auto ready = co_await ensure_txns(segment);
      if (generation != generation_) break;
      if (!ready) co_return std::move(ready).error();
      if (segment->txns->collect(from, to, found)) break;
    }
    if (generation == generation_) co_return found;
  }
}

Task<Result<std::optional<OffsetAndTime>>> LogImpl::find_time(SegmentPtr segment, int64_t timestamp_ms) {
  CO_CHECK(co_await ensure_indexes(segment));
  uint64_t begin = 0;
  if (auto entry = segment->times.at_or_below(timestamp_ms)) {
    CO_TRY(auto place, co_await locate(segment, entry->offset));
    std::array<std::byte, kBatchHeaderBytes> raw{};
    size_t n = 0;
    if (place) {
      CO_TRY(n, co_await segment->file->read_at(place->position, raw));
    }
    auto header = BatchHeader::parse(ConstBytes(raw).first(n));
    if (header && header->last() == entry->offset && header->max_timestamp == entry->timestamp_ms)
      begin = place->position;
    else  // a search from the segment's beginning is right in any case
      CO_CHECK(co_await rebuild_indexes(segment, "the time index points to another batch"));
  }
  BatchScanner scanner(segment->file, begin, segment->size, BatchScanner::Check::kHeaders);
  for (;;) {
    CO_TRY(auto batch, co_await scanner.next());
    if (!batch) co_return std::nullopt;
    const BatchHeader& header = batch->header;
    if (header.max_timestamp < timestamp_ms || header.last() < log_start_) continue;
    CO_TRY(auto bytes, co_await scanner.load());
    CO_TRY(auto reader, RecordReader::open(header, ConstBytes(bytes)));
    Record record;
    for (;;) {
      CO_TRY(bool more, reader.next(record));
      if (!more) break;
      if (record.timestamp_ms >= timestamp_ms && record.offset >= log_start_)
        co_return OffsetAndTime{record.offset, record.timestamp_ms, header.epoch()};
    }
  }
}

Task<Result<std::optional<OffsetAndTime>>> LogImpl::offset_for_time(int64_t timestamp_ms) {
  Inside inside(gate_);
  CO_CHECK(usable());
  for (;;) {
    CO_CHECK(usable());
    const uint64_t generation = generation_;
    for (SegmentPtr segment = segment_at(log_start_); segment; segment = segment_after(*segment)) {
      if (!segment->max_timestamp_known) CO_CHECK(co_await ensure_indexes(segment));
      if (generation != generation_) break;
      if (segment->max_timestamp_ms < timestamp_ms) continue;
      auto found = co_await find_time(segment, timestamp_ms);
      if (generation != generation_) break;
      if (!found || *found) co_return found;
    }
    if (generation == generation_) co_return std::nullopt;
  }
}

Task<Result<std::optional<OffsetAndTime>>> LogImpl::offset_of_max_time() {
  Inside inside(gate_);
  CO_CHECK(usable());
  for (;;) {
    CO_CHECK(usable());
    const uint64_t generation = generation_;
    SegmentPtr best;
    for (SegmentPtr segment = segment_at(log_start_); segment; segment = segment_after(*segment)) {
      if (!segment->max_timestamp_known) CO_CHECK(co_await ensure_indexes(segment));
      if (generation != generation_) break;
      if (segment->size > 0 && (!best || segment->max_timestamp_ms > best->max_timestamp_ms)) best = segment;
    }
    if (generation != generation_) continue;
    if (!best || best->max_timestamp_ms < 0) co_return std::nullopt;
    auto found = co_await find_time(best, best->max_timestamp_ms);
    if (generation == generation_) co_return found;
  }
}

}  // namespace farshore
