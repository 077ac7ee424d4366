#include "linker/group_sync_rule.h"

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
  }
  return "?";
}

GroupSyncDecision decide(const GroupSyncInput& in) {
  GroupSyncDecision out;
  if (!in.source_commit) {
    // A deletion follows only where the value is still ours: what a consumer of the target committed stays.
    if (in.last_written && in.target_commit == in.last_written) {
      if (in.members_at_target) {
        out.state = GroupSyncState::kActiveAtTarget;
      } else {
        out.action = GroupSyncAction::kDelete;
        out.state = GroupSyncState::kPending;
      }
    }
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
  bool ours = in.last_written && in.target_commit == in.last_written;
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
