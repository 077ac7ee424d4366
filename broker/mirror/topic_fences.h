// TopicFences: raises and lifts the fences of this cluster's topics (proto/link/write_fence.h), and lifts those whose
// end has come, also those of gateways that never come back.
// Executor: the broker's. Owner: Broker. Durability: a change is durable when the call returns.
#pragma once

#include "base/gate.h"
#include "broker/metadata/metadata.h"
#include "broker/metadata/refusal.h"
#include "broker/partitions/partition_table.h"

namespace farshore::broker {

class TopicFences {
 public:
  TopicFences(Env& env, MetadataManager& metadata, PartitionTable& partitions);

  void start();  // lifts what has expired, from now on
  Task<void> stop();

  struct Change {
    WriteFence fence;          // its end is computed here: `lasts` from now on
    bool holds = false;        // raise or renew; or lift
    Duration lasts{-1};        // negative: until it is lifted
    bool nobody = false;       // the fence of no link: of a gateway of an older release
    WallTime valid_until{-1};  // who asked has given up by then
  };
  struct Answer {
    TopicPtr topic;  // the newest state
    Refusal refusal;
  };
  // When a raise returns, all writes that were let in before are committed, so the ends of the partitions stay as they
  // are. FENCED_LEADER_EPOCH: a newer change of this link was made before. KAFKA_STORAGE_ERROR: a partition is offline,
  // so its end cannot be known; nothing was raised. POLICY_VIOLATION: too many links fence the topic.
  Task<Answer> change(TopicPtr topic, Change change, Deadline deadline);

 private:
  Task<Status> settle(TopicPtr topic, Deadline deadline);
  Task<void> watch();
  Task<void> lift_expired(TopicPtr topic);

  Env& env_;
  MetadataManager& metadata_;
  PartitionTable& partitions_;
  Event stopping_;
  Notifier wake_;
  Gate gate_;
};

}  // namespace farshore::broker
