// RelayTakeover: one takeover of a partition of the target, from "another gateway may still write" to "we alone write,
// and know the next source offset". In this order:
//
//   1. read the leader's state of our producer            (our marker will clear it)
//   2. fence: raise the epoch of the transactional id, and have an abort marker written to the partition and its log
//   3. read the log of record up to our marker: the claims
//   4. lower the claims if the target lost records that they name
//   5. scan the target from the end of the claims up to our marker: the evidence
//   6. decide at which source offset to continue (evidence.h)
//
// Executor: the Env's. Source: KIP-98, KIP-360, KIP-664; docs/decisions/0066-relay-never-resends-by-sequence.md.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/env.h"
#include "proto/kafka/client/cluster_client.h"
#include "replicator/relay/evidence.h"
#include "replicator/relay/options.h"
#include "replicator/relay/scan.h"
#include "replicator/sink.h"

namespace farshore::replicator {

// The transactional id of a partition. Its producer epoch decides which gateway may relay the partition: farshore.<link
// id>.<source topic id>.<partition>.
std::string relay_transactional_id(const LinkPartition& key);

struct RelayTakenOver {
  kafka::ProducerIdentity producer;
  RelayResume resume;
  TargetOffset target_end;    // no batch of ours is at or above it
  LeadershipEpoch epoch{-1};  // of the leader that wrote our marker
  int32_t broker = -1;        // the leader
  TopicId topic_id;           // zero: the target is too old to have ids
};

class RelayTakeover {
 public:
  // References outlive it. `wanted` is asked between the steps; false ends the takeover with kClosed.
  RelayTakeover(Env& env, kafka::ClusterClient& cluster, RelayJournal& journal, const RelaySinkOptions& options,
                LinkPartition key, SinkTarget target, std::function<bool()> wanted);

  // Once. Errors: kFenced (lost to another gateway), kInvalidArgument (the target topic is another one now),
  // kOutOfRange (no evidence is left; the detail names the source offsets), kPermissionDenied, kNotFound (a broker does
  // not know the partition); otherwise retriable. Each step ends by RelaySinkOptions::takeover_limit.
  Task<Result<RelayTakenOver>> run();

 private:
  struct Ends {
    TargetOffset log_start, high_watermark;
  };
  Deadline limit() const { return env_.in(options_.takeover_limit); }
  Status still_wanted() const;
  Task<Result<Ends>> ends(Deadline deadline);
  Task<Status> check_topic(Deadline deadline);
  Task<Status> fence_older_owners(TopicPartition log, Deadline deadline);
  Task<Status> lower_to_epoch_end(Deadline deadline);
  Task<Status> wait_for_old_producer();
  Task<Status> scan();
  Status decide();

  Env& env_;
  kafka::ClusterClient& cluster_;
  RelayJournal& journal_;
  const RelaySinkOptions& options_;
  const LinkPartition key_;
  const SinkTarget target_;
  const TopicPartition at_;
  const std::function<bool()> wanted_;
  Ends before_;  // asked before the fence
  std::vector<RememberedProducer> remembered_;
  RelayClaims claims_;
  TargetOffset scan_to_min_;
  RelayScan scanned_;
  RelayTakenOver taken_;
};

}  // namespace farshore::replicator
