// What is written into a consumer group of the target, for one partition: a pure decision, so that every case is
// tested. value = translate(min(source commit, what is mirrored below the target's high watermark)); never beyond the
// mirror, never over a group that lives at the target, never over a value that somebody else moved on.
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
  // By this link, remembered with it before they are written: the last, and what stood there of ours before that one.
  // Either may be what is there, if the write was lost; after one that lowered, also what lies between them: a target
  // that loses what it had not synced goes back to any older value.
  std::optional<TargetOffset> last_written, written_before;
  // Of a mirror: where its log ends. No consumer can have come further, so a commit beyond it is left over from a
  // truncation, whoever wrote it. None for a relay, whose target others may write too.
  std::optional<TargetOffset> target_end;
  bool members_at_target = false;
};

enum class GroupSyncAction : uint8_t { kNothing, kCommit, kDelete };

enum class GroupSyncState : uint8_t {
  kSynced,
  kClamped,         // the source's commit is not mirrored yet: applied when it is
  kActiveAtTarget,  // consumers run there: left alone
  kDiverged,        // somebody else moved the target's commit beyond ours: left alone, shown
  kPending          // will be written now
};
const char* name(GroupSyncState state);

struct GroupSyncDecision {
  GroupSyncAction action = GroupSyncAction::kNothing;
  GroupSyncState state = GroupSyncState::kSynced;
  std::optional<TargetOffset> value;  // to commit
  bool clamped = false;
};

bool written_by_us(const GroupSyncInput& input);  // what is at the target
// The next `written_before`, when `value` is about to be written.
std::optional<TargetOffset> to_remember(const GroupSyncInput& input, TargetOffset value);
GroupSyncDecision decide(const GroupSyncInput& input);

}  // namespace farshore::linker
