// The end of a mirror. Promotion (after a drain) and failover (now) are one metadata transaction; everything that must
// follow it is idempotent, and is done again at the next start of the broker if it was interrupted.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "broker/mirror/mirror_targets.h"

namespace farshore::broker {

struct AbortedAtEnd {  // a transaction that was open at the end of the mirror
  int32_t partition = 0;
  int64_t producer_id = -1;
  int16_t producer_epoch = -1;
  Offset first;
};

struct PromotionPlan {
  std::string kind;                         // "promote" or "failover"
  std::vector<std::optional<Offset>> ends;  // by partition: the end that must be reached (promote)
  bool dry_run = false;
};

struct PromotionOutcome {
  MirrorProblem problem;  // of the whole topic: nothing was changed
  TopicPtr topic;         // with the promotion record (dry run: as it would be)
  std::vector<AbortedAtEnd> aborted;
};

// OFFSET_OUT_OF_RANGE: a partition has not reached the end that `plan` asks for. A topic that the same link ended
// before answers with its record.
Task<PromotionOutcome> end_mirror(Services& services, TopicPtr topic, PromotionPlan plan, Deadline deadline);

// Aborts what was open at the end of the mirror and raises the producer id counter above what the mirror brought.
// Idempotent: does nothing where it was done.
Task<Status> finish_promotion(Services& services, TopicPtr topic, Deadline deadline);

}  // namespace farshore::broker
