// Promotions: ends mirrors, by promotion (after a drain) or by failover (now). Each end has three steps:
//   1. One metadata transaction: the record, the new epochs, PENDING_STOPPED. Nothing undoes it, and the link can write
//      no more.
//   2. Markers abort the transactions that were open, and the producer ids of the mirrored data are kept from being
//      given out here again.
//   3. One metadata transaction: STOPPED. Clients can write from here on.
// Steps 2 and 3 are idempotent. They are tried again in the background, also after a restart, until they are done.
// Executor: the broker's. Owner: Broker. Durability: step 1 is durable when end() returns a topic.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/gate.h"
#include "base/slab.h"
#include "broker/metadata/producer_ids.h"
#include "broker/mirror/mirror_targets.h"
#include "broker/partitions/partition_table.h"

namespace farshore::broker {

struct PromotionPlan {
  PromotionKind kind = PromotionKind::kFailover;
  std::vector<std::optional<Offset>> ends;  // by partition: the end that must be reached (promote)
  bool dry_run = false;
};

struct PromotionOutcome {
  // Of the whole topic. With a `topic`: the mirror has ended, but step 2 or 3 is not done yet; ask again.
  Refusal refusal;
  TopicPtr topic;  // with the promotion record (dry run: as it would be)
};

class Promotions {
 public:
  Promotions(Env& env, SlabArena& arena, MetadataManager& metadata, PartitionTable& partitions,
             ProducerIds& producer_ids, MirrorTargets& targets);

  // After the partitions are open: continues with the promotions that a restart interrupted.
  void start() { retry(); }
  Task<void> stop();

  // OFFSET_OUT_OF_RANGE: a partition has not reached the end that `plan` asks for.
  Task<PromotionOutcome> end(TopicPtr topic, PromotionPlan plan, Deadline deadline);
  // Steps 2 and 3 of a mirror that has ended. Returns the topic as it then is; does nothing where they are done.
  Task<Result<TopicPtr>> finish(TopicPtr topic, Deadline deadline);

 private:
  struct Held {  // one partition, locked
    PartitionPtr partition;
    std::shared_ptr<MirrorTargets::Target> target;
    AsyncMutex::Guard guard;
  };
  Task<Result<std::vector<Held>>> hold(TopicPtr topic);
  static LeadershipEpoch next_epoch(const std::vector<Held>& held);
  static PromotionRecord::PartitionEnd end_of(const Held& held, LeadershipEpoch epoch, WallTime now);
  static Refusal check_ends(const std::vector<Held>& held, const PromotionPlan& plan);
  Task<PromotionRecord> record_of(TopicPtr topic, const std::vector<Held>& held, const PromotionPlan& plan,
                                  Deadline deadline);
  Task<Result<TopicPtr>> write(TopicPtr topic, PromotionRecord record, Deadline deadline);
  Task<Status> abort_open(PartitionPtr partition, PromotionRecord::PartitionEnd end, Deadline deadline);
  void retry();
  Task<void> retry_loop();

  Env& env_;
  SlabArena& arena_;
  MetadataManager& metadata_;
  PartitionTable& partitions_;
  ProducerIds& producer_ids_;
  MirrorTargets& targets_;
  bool retrying_ = false;
  Event stopping_;
  Gate gate_;
};

}  // namespace farshore::broker
