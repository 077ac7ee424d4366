#include "linker/link/tasks/group_sync_rule.h"

namespace farshore::linker {

const char* name(GroupSyncState state) {
  switch (state) {
    case GroupSyncState::kSynced:
      return "SYNCED";
    case GroupSyncState::kClamped:
      return "CLAMPED";
    case GroupSyncState::kActiveAtTarget:
      return "ACTIVE_AT_TARGET";
    case GroupSyncState::kDiverged:
      return "DIVERGED";
    case GroupSyncState::kPending:
      return "PENDING";
    case GroupSyncState::kNotSelected:
      return "NOT_SELECTED";
  }
  return "?";
}

bool written_by_us(const GroupSyncInput& in) {
  if (!in.target_commit || !in.last_written) return false;
  const TargetOffset there = *in.target_commit, last = *in.last_written;
  if (!in.written_before) return there == last;
  return there == last || there == *in.written_before || (there > last && there < *in.written_before);
}

std::optional<TargetOffset> to_remember(const GroupSyncInput& in, TargetOffset value) {
  std::optional<TargetOffset> before;
  if (written_by_us(in)) before = in.target_commit;
  for (const auto& older : {in.last_written, in.written_before})
    if (older && *older > value && (!before || *older > *before)) before = older;
  return before;
}

GroupSyncDecision decide(const GroupSyncInput& in) {
  GroupSyncDecision out;
  const bool ours = written_by_us(in);
  if (!in.source_commit) {
    // A deletion follows only where the value is still ours: what a consumer of the target committed stays.
    if (ours) {
      if (in.members_at_target) {
        out.state = GroupSyncState::kActiveAtTarget;
      } else {
        out.action = GroupSyncAction::kDelete;
        out.state = GroupSyncState::kPending;
      }
    }
    return out;
  }
  if (!in.selected) {
    out.state = GroupSyncState::kNotSelected;
    return out;
  }
  out.clamped = *in.source_commit > in.mirrored_end;
  out.value = in.translated;
  out.state = out.clamped ? GroupSyncState::kClamped : GroupSyncState::kSynced;
  if (!in.translated || in.target_commit == in.translated) return out;
  if (in.members_at_target) {
    out.state = GroupSyncState::kActiveAtTarget;
    return out;
  }
  bool lower = !in.target_commit || *in.target_commit < *in.translated;
  bool beyond_the_end = in.target_end && in.target_commit && *in.target_commit > *in.target_end;
  if (!ours && !lower && !beyond_the_end) {
    out.state = GroupSyncState::kDiverged;
    return out;
  }
  out.action = GroupSyncAction::kCommit;
  return out;
}

}  // namespace farshore::linker
