// GroupSync: carries the committed offsets of the source's consumer groups over to the target, translated, as far as
// the records are mirrored (group_sync_rule.h). A promotion asks for a round of its own; rounds run one at a time.
// Executor: the Env's. Owner: Link.
#pragma once

#include "linker/link/tasks/group_memory_store.h"
#include "linker/link/tasks/periodic_task.h"

namespace farshore::linker {

class GroupSync final : public PeriodicTask {
 public:
  // `store` outlives it.
  GroupSync(LinkParts link, LinkStore& store);

  // One round, not counted as one of the task.
  Task<Status> sync(Deadline deadline);
  // What the last round that went well decided.
  const api::ListGroupSyncReply& shown() const { return shown_; }

 private:
  bool enabled() const override { return LinkTask::enabled() && link_.definition.spec().group_sync; }
  bool due() const override;
  Duration interval() const override { return milliseconds(link_.definition.spec().group_sync_interval_ms); }
  Task<Status> round(Deadline deadline) override { return sync(deadline); }

  Task<Status> sync_group(GroupInfo group, bool members_at_target, Deadline deadline);

  GroupMemoryStore memory_;
  AsyncMutex turn_;
  api::ListGroupSyncReply shown_;
};

}  // namespace farshore::linker
