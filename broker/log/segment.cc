#include "broker/log/segment.h"

#include <algorithm>

#include "broker/log/log_format.h"

namespace farshore {

using namespace log_format;

void Segment::note(const BatchHeader& header, uint64_t index_interval_bytes) {
  if (header.max_timestamp > max_timestamp_ms) {
    max_timestamp_ms = header.max_timestamp;
    max_timestamp_offset = header.last();
  }
  if (size == 0) first_timestamp_ms = header.max_timestamp;
  if (bytes_since_index > index_interval_bytes) {
    index.append(header.last(), size);
    times.append(max_timestamp_ms, max_timestamp_offset);
    bytes_since_index = 0;
  }
  if (tail_count_ == 0) tail_whole_ = size == 0;
  tail_[tail_count_++ % kTail] = {header.first(), header.last(), size};
  bytes_since_index += header.size_bytes();
  size += header.size_bytes();
  next = header.next();
}

std::optional<BatchPlace> Segment::in_tail(Offset offset) const {
  uint64_t kept = std::min<uint64_t>(tail_count_, kTail);
  if (kept == 0) return std::nullopt;
  auto at = [&](uint64_t i) -> const BatchPlace& { return tail_[(tail_count_ - kept + i) % kTail]; };
  // The batch before the first kept one is unknown: it may be the one that ends at or above `offset`.
  if (tail_count_ > kTail || !tail_whole_ ? offset < at(0).first : offset < base) return std::nullopt;
  uint64_t low = 0, high = kept;
  while (low < high) {
    uint64_t middle = (low + high) / 2;
    if (at(middle).last >= offset)
      high = middle;
    else
      low = middle + 1;
  }
  if (low == kept) return std::nullopt;
  return at(low);
}

void Segment::forget() {
  next = base;
  size = 0;
  index = OffsetIndex(base);
  times = TimeIndex(base);
  txns.reset();
  indexes_loaded = false;
  bytes_since_index = 0;
  max_timestamp_ms = first_timestamp_ms = -1;
  max_timestamp_known = false;
  tail_count_ = 0;
}

Task<Status> write_file(FileSystem& files, std::string path, std::string content, bool sync) {
  OpenMode mode;
  mode.create = mode.truncate = true;
  CO_TRY(auto file, co_await files.open(path, mode));
  ConstBytes piece = as_bytes(content);
  if (!content.empty()) CO_CHECK(co_await file->write_at(0, ConstBytesList(&piece, 1)));
  if (sync) co_return co_await file->sync();
  co_return ok();
}

Task<Status> write_indexes(Env& env, std::string directory, std::shared_ptr<Segment> segment) {
  FileSystem& files = env.files();
  auto path = [&](std::string_view suffix) { return join_path(directory, file_name(segment->base, suffix)); };
  CO_CHECK(co_await write_file(files, path(kOffsetIndex), segment->index.encode(), false));
  CO_CHECK(co_await write_file(files, path(kTimeIndex), segment->times.encode(), false));
  std::string txns = segment->txns ? segment->txns->encode() : std::string();
  CO_CHECK(co_await write_file(files, path(kTxnIndex), std::move(txns), false));
  segment->indexes_dirty = true;
  co_return ok();
}

Task<Status> sync_indexes(Env& env, std::string directory, std::shared_ptr<Segment> segment) {
  for (auto suffix : {kOffsetIndex, kTimeIndex, kTxnIndex, kSnapshot}) {
    auto file = co_await env.files().open(join_path(directory, file_name(segment->base, suffix)), OpenMode());
    if (!file && file.error() == ErrorCode::kNotFound) continue;  // deleted meanwhile, or the first segment's snapshot
    if (!file) co_return std::move(file).error();
    CO_CHECK(co_await (*file)->sync());
  }
  segment->indexes_dirty = false;
  co_return ok();
}

Task<Status> load_indexes(Env& env, std::string directory, std::shared_ptr<Segment> segment) {
  constexpr size_t kIndexBytesMax = 1 << 30;
  auto path = [&](std::string_view suffix) { return join_path(directory, file_name(segment->base, suffix)); };
  CO_TRY(std::string offsets, co_await read_file(env.files(), path(kOffsetIndex), kIndexBytesMax));
  CO_TRY(std::string times, co_await read_file(env.files(), path(kTimeIndex), kIndexBytesMax));
  CO_TRY(auto index, OffsetIndex::decode(segment->base, offsets, segment->size));
  CO_TRY(auto time_index, TimeIndex::decode(segment->base, times, segment->next));
  if (segment->indexes_loaded) co_return ok();  // somebody else was faster
  segment->index = std::move(index);
  segment->times = std::move(time_index);
  segment->indexes_loaded = true;
  if (auto last = segment->times.last()) {
    segment->max_timestamp_ms = last->timestamp_ms;
    segment->max_timestamp_offset = last->offset;
  }
  segment->max_timestamp_known = true;
  co_return ok();
}

Task<Status> remove_segment_files(Env& env, std::string directory, Offset base) {
  for (auto suffix : {kOffsetIndex, kTimeIndex, kTxnIndex, kSnapshot, kLog}) {
    auto removed = co_await env.files().remove(join_path(directory, file_name(base, suffix)));
    if (!removed && removed.error() != ErrorCode::kNotFound) co_return std::move(removed).error();
  }
  co_return ok();
}

Task<Result<SegmentScan>> scan_segment(std::shared_ptr<Segment> segment, uint64_t bytes, BatchScanner::Check check,
                                       uint64_t index_interval_bytes, ProducerState* producers, ScanJudge* judge) {
  SegmentScan scan;
  segment->forget();
  if (producers) segment->txns.emplace();
  BatchScanner scanner(segment->file, 0, bytes, check);
  for (;;) {
    auto found = co_await scanner.next();
    if (!found) {
      if (found.error() != ErrorCode::kCorrupt) co_return std::move(found).error();
      scan.bad = std::move(found).error();
      break;
    }
    if (!*found) break;
    const BatchHeader& header = (*found)->header;
    std::string where = segment->file->path() + " at byte " + std::to_string((*found)->position);
    if (header.first() < segment->next || header.last() - segment->base > kSegmentOffsetsMax) {
      scan.bad = Error(ErrorCode::kCorrupt, where + ": offsets out of order");
      break;
    }
    if (!scan.epochs.empty() && header.epoch() < scan.epochs.back().first) {
      scan.bad = Error(ErrorCode::kCorrupt, where + ": the leader epoch goes back");
      break;
    }
    if (auto fine = judge ? judge->check(header) : ok(); !fine) {
      scan.bad = std::move(fine).error().in(where);
      break;
    }
    if (producers && header.control()) {
      CO_TRY(auto batch, co_await scanner.load());
      auto marker = read_marker(header, ConstBytes(batch));
      if (marker) {
        auto done = producers->apply_marker(header, *marker);
        if (done && done->aborted)
          segment->txns->append({{done->producer_id, done->first, done->last}, done->last_stable});
      } else if (marker.error() != ErrorCode::kUnsupported) {
        scan.bad = std::move(marker).error().in(where);
        break;
      }
    } else if (producers) {
      producers->apply(header);
    }
    if (scan.epochs.empty() || scan.epochs.back().first < header.epoch())
      scan.epochs.emplace_back(header.epoch(), header.first());
    segment->note(header, index_interval_bytes);
  }
  segment->indexes_loaded = true;
  segment->max_timestamp_known = true;
  co_return scan;
}

}  // namespace farshore
