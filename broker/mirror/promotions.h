// Promotions: ends mirrors, by promotion (after a drain) or by failover (now). Each end has three steps:
//   1. The logs are synced, then one metadata transaction: the record, the new epochs, PENDING_STOPPED. Nothing undoes
//      it, and the link can write no more. What the record says about a log is never ahead of that log on the disk.
//   2. Markers abort the transactions that were open, and the producer ids of the mirrored data are kept from being
//      given out here again.
//   3. One metadata transaction: STOPPED. Clients can write from here on.
// Steps 2 and 3 are tried again in the background, also after a restart, until they are done (PromotionFinish).
// A failover does not wait for a partition that is offline: the others end, and that one ends when it is back.
// Executor: the broker's. Owner: Broker. Durability: step 1 is durable when end() returns a topic.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/gate.h"
#include "base/slab.h"
#include "broker/metadata/producer_ids.h"
#include "broker/mirror/mirror_targets.h"
#include "broker/partitions/partition_table.h"

namespace farshore::broker {

class PromotionFinish;
struct HeldPartition;

struct PromotionPlan {
  PromotionKind kind = PromotionKind::kFailover;
  std::vector<std::optional<Offset>> ends;  // by partition: the end that must be reached (promote)
  bool dry_run = false;
  WallTime valid_until{-1};  // who asked has given up by then: refused if it is written later; -1: never
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
  ~Promotions();

  // After the partitions are open: continues with the promotions that a restart interrupted.
  void start();
  Task<void> stop();

  // OFFSET_OUT_OF_RANGE: a partition has not reached the end that `plan` asks for. KAFKA_STORAGE_ERROR: a partition is
  // offline, and the plan is a promotion; or all of them are. REQUEST_TIMED_OUT: `valid_until` has passed.
  Task<PromotionOutcome> end(TopicPtr topic, PromotionPlan plan, Deadline deadline);
  // Steps 2 and 3 of a mirror that has ended. Returns the topic as it then is; does nothing where they are done.
  Task<Result<TopicPtr>> finish(TopicPtr topic, Deadline deadline);

 private:
  struct Holding {
    std::vector<HeldPartition> held;  // locked
    std::optional<Error> offline;     // of the first partition that is offline
  };
  // Partitions that cannot be locked until then count as offline.
  Task<Result<Holding>> hold(TopicPtr topic, Deadline deadline);
  // Those whose log cannot be synced until then count as offline.
  Task<void> sync(Holding& holding, Deadline deadline);
  static Refusal check(const Holding& holding, const PromotionPlan& plan);
  Task<PromotionRecord> record_of(TopicPtr topic, const std::vector<HeldPartition>& held, const PromotionPlan& plan,
                                  Deadline deadline);
  Task<Result<TopicPtr>> write(TopicPtr topic, PromotionRecord record, WallTime valid_until, Deadline deadline);

  Env& env_;
  MetadataManager& metadata_;
  PartitionTable& partitions_;
  MirrorTargets& targets_;
  Gate syncs_;  // also those that nobody waits for any more
  const std::unique_ptr<PromotionFinish> finish_;
};

}  // namespace farshore::broker
