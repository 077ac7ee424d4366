#include "broker/log/internal/segment_set.h"

namespace farshore {
namespace {

// Of the full segments of one log: how many transaction indexes with more than kSmallTxnIndex entries stay in memory.
constexpr size_t kLargeTxnIndexesMax = 2;
constexpr size_t kSmallTxnIndex = 16;

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

bool SegmentSet::has(const SegmentPtr& segment) const {
  auto found = segments_.find(segment->base);
  return found != segments_.end() && found->second == segment;
}

void SegmentSet::clear() {
  ++generation_;
  ++cuts_;
  segments_.clear();
  with_txns_.clear();
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
  ++cuts_;
  return base;
}

std::vector<Offset> SegmentSet::cut_to(SegmentPtr kept) {
  ++generation_;
  ++cuts_;
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

void SegmentSet::keep_transactions_of(const SegmentPtr& segment) {
  if (is_active(segment) || !segment->txns || segment->txns->entries().size() <= kSmallTxnIndex) return;
  std::erase_if(with_txns_, [&](const auto& weak) { return weak.expired() || weak.lock() == segment; });
  with_txns_.push_back(segment);
  while (with_txns_.size() > kLargeTxnIndexesMax) {
    if (SegmentPtr old = with_txns_.front().lock()) old->txns.reset();
    with_txns_.erase(with_txns_.begin());
  }
}

}  // namespace farshore
