// SegmentSet: the segments of one log, in order of their base offsets. The last one is active: appends go there.
// In memory only; SegmentFiles reads and writes the files.
//
// Who changes the set holds the log's writer lock. Readers hold no lock. A reader pins its segment by SegmentPtr, and
// compares generation() before and after it awaited: if the generation changed, bytes were removed or replaced, and the
// reader starts again.
// Executor: the Env's.
#pragma once

#include <map>
#include <vector>

#include "broker/log/internal/segment.h"

namespace farshore {

class SegmentSet {
 public:
  using Map = std::map<Offset, SegmentPtr>;  // by base offset

  bool empty() const { return segments_.empty(); }  // only before the log is open and during a reset
  size_t count() const { return segments_.size(); }
  const Map& all() const { return segments_; }
  const SegmentPtr& first() const { return segments_.begin()->second; }
  const SegmentPtr& active() const { return segments_.rbegin()->second; }
  bool is_active(const SegmentPtr& segment) const { return !segments_.empty() && active() == segment; }
  bool has_base(Offset base) const { return segments_.count(base) != 0; }
  // The segment that would hold `offset`: the last one that begins at or below it, else the first. Null: the set is
  // empty.
  SegmentPtr at(Offset offset) const;
  SegmentPtr after(const Segment& segment) const;  // null: none
  uint64_t size_bytes() const;
  uint64_t generation() const { return generation_; }
  // How often bytes were cut off the end of the log, or all of it. What was learnt from them is then wrong.
  uint64_t cuts() const { return cuts_; }
  bool has(const SegmentPtr& segment) const;  // this very segment, not another one with its base offset

  void add(SegmentPtr segment) { segments_.emplace(segment->base, std::move(segment)); }
  // The following four raise the generation.
  void clear();
  Offset remove_first();  // returns its base offset
  Offset remove_last();
  // `kept` replaces the segment with the same base offset; every segment above it goes. Returns the bases that went.
  std::vector<Offset> cut_to(SegmentPtr kept);
  // `cleaned` replaces `group`. Both have the same first base offset.
  void replace(const std::vector<SegmentPtr>& group, SegmentPtr cleaned);

  // The transaction index of this full segment was loaded. Of the large ones, only those that were loaded last stay in
  // memory.
  void keep_transactions_of(const SegmentPtr& segment);

 private:
  Map segments_;
  uint64_t generation_ = 0, cuts_ = 0;
  std::vector<std::weak_ptr<Segment>> with_txns_;  // full segments with a large transaction index, oldest load first
};

}  // namespace farshore
