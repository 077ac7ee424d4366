// The rule of group sync: which offset is committed to a consumer group of the target, for one partition. A pure
// function, so that every case is tested. The offset is translate(min(source commit, mirrored end)). It is never beyond
// the mirror, never committed to a group that has members at the target, and never replaces a higher offset of another
// client.
#pragma once

#include <cstdint>
#include <optional>

#include "base/ids.h"

namespace farshore::linker {

struct GroupSyncInput {
  std::optional<SourceOffset> source_commit;  // none: the source has no commit (never had, or it was deleted)
  SourceOffset mirrored_end;                  // everything below is in the target and below its high watermark
  std::optional<TargetOffset> translated;     // of min(source_commit, mirrored_end); none without a source commit
  std::optional<TargetOffset> target_commit;
  // Remembered by this link before it committed (GroupMemory): the last offset, and the link's own offset before that.
  // If the last commit was lost, the earlier one is at the target. After a commit that lowered the offset, values
  // between the two count as the link's own, too: a target that loses unsynced data can go back to any older value.
  std::optional<TargetOffset> last_written, written_before;
  // Of a mirror: the end of its log. No consumer can be further, so a commit beyond it was made before a truncation,
  // by the link or by a consumer. None for a relay: others may write to its target.
  std::optional<TargetOffset> target_end;
  bool members_at_target = false;
  bool selected = true;  // by the link's filters, which may have been narrowed since the link committed for the group
};

enum class GroupSyncAction : uint8_t { kNothing, kCommit, kDelete };

enum class GroupSyncState : uint8_t {
  kSynced,
  kClamped,         // the source's commit is beyond the mirror: raised when the records are mirrored
  kActiveAtTarget,  // the group has members at the target: left alone
  kDiverged,        // another client committed a higher offset at the target: left alone
  kPending,         // is being deleted
  kNotSelected  // the link does not sync the group any more: its last commit stays until the source deletes the group
};
const char* name(GroupSyncState state);

struct GroupSyncDecision {
  GroupSyncAction action = GroupSyncAction::kNothing;
  GroupSyncState state = GroupSyncState::kSynced;
  std::optional<TargetOffset> value;  // to commit
  bool clamped = false;
};

bool written_by_us(const GroupSyncInput& input);  // the target's commit is the link's own
// The next `written_before`, if `value` is about to be committed.
std::optional<TargetOffset> to_remember(const GroupSyncInput& input, TargetOffset value);
GroupSyncDecision decide(const GroupSyncInput& input);

}  // namespace farshore::linker
