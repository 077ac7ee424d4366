// What of ours stands between two offsets of a target partition. Read as a consumer does, and only headers of our own
// batches are kept, so that a scan over other people's data costs no memory.
#pragma once

#include <vector>

#include "base/env.h"
#include "proto/kafka/client/cluster_client.h"
#include "replicator/relay/evidence.h"

namespace farshore::replicator {

// What is to be looked at: from `from` on until our own abort marker was seen, and at least up to `to_min`.
struct RelayScanRange {
  TopicPartition at;
  TargetOffset from, to_min;
  RelayProducer owner;
  std::vector<RelayAnchor> anchors;  // whose producers are ours
  bool wait_for_marker = true;       // false only for a planted bug
};

struct RelayScan {
  TargetOffset from, to;  // `from` is higher than asked if the target deleted what stood there
  TargetOffset marker;
  LeadershipEpoch epoch{-1};  // of the leader that wrote the marker
  // In offset order; what follows each other without a gap or an anchor in between is one.
  std::vector<RelayedBatch> seen;
};

// Reads as long as each answer brings something; kTimedOut if nothing comes until `patience` has passed. kFenced: a
// newer owner has written. kResourceExhausted: more pieces of ours, between foreign ones, than can be looked at.
// Executor: the Env's.
Task<Result<RelayScan>> scan_relayed(Env& env, kafka::ClusterClient& cluster, RelayScanRange range, Duration patience);

}  // namespace farshore::replicator
