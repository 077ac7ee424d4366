#include "replicator/divergence.h"

namespace farshore::replicator {
namespace {

std::string source_end(const Divergence& found) {
  return "its epoch " + std::to_string(found.epoch.value()) + " ends at " + std::to_string(found.end.value());
}

}  // namespace

Error Divergence::other_history() const {
  return Error(ErrorCode::kConflict, "the source has another history: " + source_end(*this) +
                                         ", the target holds epoch " + std::to_string(target_epoch.value()) +
                                         " up to " + std::to_string(target_end.value()));
}

Error Divergence::nothing_in_common() const {
  return Error(ErrorCode::kConflict, "the source has nothing of what was mirrored: " + source_end(*this) +
                                         ", the target holds offsets " + std::to_string(target_start.value()) + " to " +
                                         std::to_string(target_end.value()));
}

}  // namespace farshore::replicator
