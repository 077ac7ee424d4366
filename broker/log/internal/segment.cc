#include "broker/log/internal/segment.h"

#include <algorithm>

namespace farshore {

void Segment::note(const BatchHeader& header, uint64_t index_interval_bytes) {
  if (!newest) newest.emplace();
  if (header.max_timestamp > newest->timestamp_ms) newest = NewestRecord{header.max_timestamp, header.last()};
  if (size == 0) first_timestamp_ms = header.max_timestamp;
  if (bytes_since_index > index_interval_bytes) {
    index.append(header.last(), size);
    times.append(newest->timestamp_ms, newest->offset);
    bytes_since_index = 0;
  }
  if (tail_count_ == 0) tail_whole_ = size == 0;
  tail_[tail_count_++ % kTail] = {header.first(), header.last(), size};
  bytes_since_index += header.size_bytes();
  size += header.size_bytes();
  next = header.next();
}

std::optional<BatchPlace> Segment::find_in_tail(Offset offset) const {
  uint64_t kept = std::min<uint64_t>(tail_count_, kTail);
  if (kept == 0) return std::nullopt;
  auto at = [&](uint64_t i) -> const BatchPlace& { return tail_[(tail_count_ - kept + i) % kTail]; };
  // The batch before the first kept one is unknown, and it may be the one that ends at or above `offset`.
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
  indexes_in_memory = false;
  bytes_since_index = 0;
  first_timestamp_ms = -1;
  newest.reset();
  tail_count_ = 0;
}

void Segment::leave_indexes_to_files() {
  indexes_in_memory = false;
  index = OffsetIndex(base);
  times = TimeIndex(base);
  offset_file.reset();
  time_file.reset();
}

}  // namespace farshore
