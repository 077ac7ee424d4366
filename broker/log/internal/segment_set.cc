#include "broker/log/internal/segment_set.h"

namespace farshore {
namespace {

constexpr size_t kLoadedIndexesMax = 4;  // old segments per log; their indexes take about 2 MiB each at most

}  // namespace

SegmentPtr SegmentSet::at(Offset offset) const {
  if (segments_.empty()) return nullptr;
  auto after = segments_.upper_bound(offset);
  return after == segments_.begin() ? after->second : std::prev(after)->second;
}

SegmentPtr SegmentSet::after(const Segment& segment) const {
  auto after = segments_.upper_bound(segment.base);
  return after == segments_.end() ? nullptr : after->second;
}

uint64_t SegmentSet::size_bytes() const {
  uint64_t total = 0;
  for (const auto& [base, segment] : segments_) total += segment->size;
  return total;
}

void SegmentSet::clear() {
  ++generation_;
  segments_.clear();
  loaded_.clear();
}

Offset SegmentSet::remove_first() {
  const Offset base = segments_.begin()->first;
  segments_.erase(segments_.begin());
  ++generation_;
  return base;
}

Offset SegmentSet::remove_last() {
  const Offset base = segments_.rbegin()->first;
  segments_.erase(base);
  ++generation_;
  return base;
}

std::vector<Offset> SegmentSet::cut_to(SegmentPtr kept) {
  ++generation_;
  std::vector<Offset> gone;
  for (auto at = segments_.upper_bound(kept->base); at != segments_.end(); at = segments_.erase(at))
    gone.push_back(at->first);
  segments_[kept->base] = std::move(kept);
  return gone;
}

void SegmentSet::replace(const std::vector<SegmentPtr>& group, SegmentPtr cleaned) {
  ++generation_;
  for (const auto& segment : group) segments_.erase(segment->base);
  segments_[cleaned->base] = std::move(cleaned);
}

void SegmentSet::unload_old_indexes(const SegmentPtr& except) {
  std::erase_if(loaded_, [](const auto& weak) { return weak.expired(); });
  while (loaded_.size() > kLoadedIndexesMax) {
    SegmentPtr old = loaded_.front().lock();
    loaded_.erase(loaded_.begin());
    if (!old || old == except || is_active(old)) continue;
    old->indexes_loaded = false;
    old->index = OffsetIndex(old->base);
    old->times = TimeIndex(old->base);
  }
}

}  // namespace farshore
