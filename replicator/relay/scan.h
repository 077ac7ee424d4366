// Finds batches written by our producers in an offset range of a target partition. Reads as a consumer does, and keeps
// only the headers of our own batches, so that a scan over other writers' data costs no memory.
#pragma once

#include <vector>

#include "base/env.h"
#include "proto/kafka/client/cluster_client.h"
#include "replicator/relay/evidence.h"
#include "replicator/relay/takeover_slots.h"
#include "replicator/relay/target_questions.h"

namespace farshore::replicator {

// The range begins at `from`. It ends behind our own abort marker, and not below `to_min`.
struct RelayScanRange {
  TopicPartition at;
  TargetOffset from, to_min;
  kafka::ProducerIdentity owner;
  std::vector<RelayAnchor> anchors;  // whose producers are ours
  bool wait_for_marker = true;       // false only for an injected defect
};

struct RelayScan {
  TargetOffset from, to;  // `from` is higher than asked for if the target deleted records there
  TargetOffset marker;
  LeadershipEpoch epoch{-1};  // of the leader that wrote the marker
  // In offset order. Batches that follow each other without a gap, and without an anchor in between, are merged.
  std::vector<RelayedBatch> seen;
};

struct RelayScanTools {
  Env& env;
  kafka::ClusterClient& cluster;
  TargetQuestions& questions;
  TakeoverSlots& readers;
};

// Begins with looks that many scans share (target_questions.h); a scan that finds more than a look brings goes on with
// a reader of its own, in a slot of `readers`. Reads as long as each answer contains records. kTimedOut: no records for
// the time `patience`. kFenced: a newer owner has written. kResourceExhausted: the relayed batches are in more separate
// ranges, between batches of others, than are kept in memory. Executor: the Env's.
Task<Result<RelayScan>> scan_relayed(RelayScanTools tools, RelayScanRange range, Duration patience);

}  // namespace farshore::replicator
