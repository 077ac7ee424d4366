// FormerPartitions: partitions of a link that are relayed no more, and that no pump is attached to: finds where one
// ended, or forgets what is written down of it. Executor: the replicator's. Owner: RelaySink.
#pragma once

#include <functional>

#include "replicator/relay/takeover.h"

namespace farshore::replicator {

class FormerPartitions {
 public:
  // References outlive it. `slots`: of takeovers.
  FormerPartitions(const RelayTakeoverTools& tools, TakeoverSlots& slots) : tools_(tools), slots_(slots) {}

  // Where the partition ends, by one more takeover: what was still on its way is refused, and what is found at the
  // target is handed to the journal. Errors as RelayTakeover; kClosed: `still_former` says that it is relayed again.
  Task<Result<TargetState>> find_end(LinkPartition key, SinkTarget target, std::function<bool()> still_former);
  // Deletes what is written down of a partition whose records are not at the target any more, so that it can be relayed
  // anew. Disturbs no other partition. kFenced: another gateway has the link.
  Task<Status> forget(LinkPartition key, Deadline deadline);

 private:
  const RelayTakeoverTools& tools_;
  TakeoverSlots& slots_;
};

}  // namespace farshore::replicator
