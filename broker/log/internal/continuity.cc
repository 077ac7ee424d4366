#include "broker/log/internal/continuity.h"

#include <algorithm>
#include <iterator>

namespace farshore {

// There may be as many gaps as batches.
Continuity::Continuity(Known known) : known_(std::move(known)), next_(known_.scanned_from) {
  std::sort(known_.gaps.begin(), known_.gaps.end());
}

Continuity::Notes Continuity::notes_on(const BatchHeader& header) const {
  const Gap gap{next_, header.first(), header.epoch()};
  const auto at = std::lower_bound(known_.gaps.begin(), known_.gaps.end(), gap);
  if (at != known_.gaps.end() && *at == gap) return Notes::kAgree;
  const bool others = (at != known_.gaps.end() && at->expected == next_) ||
                      (at != known_.gaps.begin() && std::prev(at)->expected == next_);
  return others && header.first() != next_ ? Notes::kContradict : Notes::kNone;
}

bool Continuity::epoch_began(const BatchHeader& header) const {
  if (header.epoch() == epoch_ || known_.epochs.at(header.first()) == header.epoch()) return true;
  // The file has no epochs that ended below the log start.
  const auto& entries = known_.epochs.entries();
  return !entries.empty() && header.first() < entries.front().start && header.epoch() <= entries.front().epoch;
}

bool Continuity::continues(const BatchHeader& header) const {
  // Durable batches are as they were written. Batches below the log start are never read.
  const bool trusted = header.first() < known_.recovery_point || header.last() < known_.log_start;
  if (trusted) return true;
  const Notes notes = notes_on(header);
  return notes == Notes::kAgree || (notes == Notes::kNone && header.first() == next_ && epoch_began(header));
}

bool Continuity::confirmed(const BatchHeader& header, const BatchHeader* behind) const {
  if (header.first() < next_ || header.epoch() < epoch_ || notes_on(header) == Notes::kContradict) return false;
  if (behind) return behind->first() >= header.next() && behind->epoch() >= header.epoch();
  if (known_.segment_bases.contains(header.next())) return true;
  // The last batch of the log. Offset, length and epoch come one after the other: a loss that reaches the epoch and
  // leaves offset and length as they were is not the likely one of the two, if notes are missing.
  return !known_.gaps_whole && header.first() == next_;
}

Status Continuity::check(const BatchHeader& header, const BatchHeader* behind) {
  if (!continues(header)) {
    if (!confirmed(header, behind))
      return Error(ErrorCode::kCorrupt, "offset " + std::to_string(header.base_offset) + " epoch " +
                                            std::to_string(header.partition_leader_epoch) + " follow offset " +
                                            std::to_string(next_.value()) + " epoch " + std::to_string(epoch_.value()));
    ++unnoted_;
  }
  next_ = header.next();
  epoch_ = std::max(epoch_, header.epoch());
  return ok();
}

}  // namespace farshore
