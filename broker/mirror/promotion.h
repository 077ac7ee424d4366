// The end of a mirror, by promotion (after a drain) or failover (now), in three steps:
//   1. one metadata transaction: the record, the new epochs, PENDING_STOPPED. Nothing undoes it, and no link writes
//   more.
//   2. what was open is aborted by markers; no producer id of the mirrored data can be given out here again.
//   3. one metadata transaction: STOPPED. Only from here on clients write.
// Steps 2 and 3 are idempotent, and are tried again, also after a restart, until they are done.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "broker/mirror/targets.h"

namespace farshore::broker {

struct PromotionPlan {
  PromotionKind kind = PromotionKind::kFailover;
  std::vector<std::optional<Offset>> ends;  // by partition: the end that must be reached (promote)
  bool dry_run = false;
};

struct PromotionOutcome {
  // Of the whole topic. With a `topic`: the mirror has ended, but step 2 or 3 is not done yet; ask again.
  MirrorProblem problem;
  TopicPtr topic;  // with the promotion record (dry run: as it would be)
};

// OFFSET_OUT_OF_RANGE: a partition has not reached the end that `plan` asks for.
Task<PromotionOutcome> end_mirror(Services& services, TopicPtr topic, PromotionPlan plan, Deadline deadline);

// Steps 2 and 3. Returns the topic as it then is; does nothing where it was done.
Task<Result<TopicPtr>> finish_promotion(Services& services, TopicPtr topic, Deadline deadline);

}  // namespace farshore::broker
