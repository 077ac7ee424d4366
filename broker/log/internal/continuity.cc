#include "broker/log/internal/continuity.h"

#include <algorithm>

namespace farshore {

// There may be as many gaps as batches.
Continuity::Continuity(Known known) : known_(std::move(known)), next_(known_.scanned_from) {
  std::sort(known_.gaps.begin(), known_.gaps.end());
}

bool Continuity::noted(const BatchHeader& header) const {
  const Gap gap{next_, header.first(), header.epoch()};
  return std::binary_search(known_.gaps.begin(), known_.gaps.end(), gap);
}

bool Continuity::epoch_began(const BatchHeader& header) const {
  if (header.epoch() == epoch_ || known_.epochs.at(header.first()) == header.epoch()) return true;
  // The file has no epochs that ended below the log start.
  const auto& entries = known_.epochs.entries();
  return !entries.empty() && header.first() < entries.front().start && header.epoch() <= entries.front().epoch;
}

Status Continuity::check(const BatchHeader& header) {
  // Durable batches are as they were written. Batches below the log start are never read.
  const bool trusted = header.first() < known_.recovery_point || header.last() < known_.log_start;
  const bool continues = header.first() == next_ && epoch_began(header);
  if (!trusted && !continues && !noted(header))
    return Error(ErrorCode::kCorrupt, "offset " + std::to_string(header.base_offset) + " epoch " +
                                          std::to_string(header.partition_leader_epoch) + " follow offset " +
                                          std::to_string(next_.value()) + " epoch " + std::to_string(epoch_.value()));
  next_ = header.next();
  epoch_ = std::max(epoch_, header.epoch());
  return ok();
}

}  // namespace farshore
