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
// If the target has given the transactional id another producer id, nothing fences the former owner. It stops by itself
// (ownership.h). The takeover waits until it surely has, and does steps 2 and 3 again: what that owner wrote last is
// before the second marker.
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
#include "replicator/relay/ownership.h"
#include "replicator/relay/scan.h"
#include "replicator/relay/takeover_slots.h"
#include "replicator/sink.h"

namespace farshore::replicator {

struct RelayTakenOver {
  kafka::ProducerIdentity producer;
  TopicPartition log;  // of the log of record
  MonoTime taken;      // when the fence was asked for
  MonoTime owned_at;   // when the ownership was confirmed last
  RelayResume resume;
  TargetOffset target_end;    // no batch of ours is at or above it
  LeadershipEpoch epoch{-1};  // of the leader that wrote our marker
  int32_t broker = -1;        // the leader
  TopicId topic_id;           // zero: the target is too old to have ids
  bool gave_up = false;       // it goes on by the operator's word: an anchor that settles is due
};

class RelayTakeover {
 public:
  // References outlive it. `slot`: its own, entered; it leaves the slot while it waits for a former owner. `wanted` is
  // asked between the steps; false ends the takeover with kClosed.
  RelayTakeover(Env& env, kafka::ClusterClient& cluster, RelayJournal& journal, const RelaySinkOptions& options,
                TakeoverSlots::Slot& slot, LinkPartition key, SinkTarget target, std::function<bool()> wanted);
  void go_on_at(std::optional<RelayGoOn> word) { word_ = word; }  // before run()

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
  // Fences, and reads the claims.
  Task<Status> take(Deadline deadline);
  Task<Status> fence_older_owners(Deadline deadline);
  // Asks the target again if it was asked long ago: a takeover may take longer than an ownership is good for.
  Task<Status> confirm_ownership();
  Task<Status> lower_claim(TargetOffset target);
  Task<Status> lower_to_epoch_end(Deadline deadline);
  Task<Status> wait_for_old_producer();
  Task<Status> scan();
  Status decide();

  Env& env_;
  kafka::ClusterClient& cluster_;
  RelayJournal& journal_;
  const RelaySinkOptions& options_;
  TakeoverSlots::Slot& slot_;
  const LinkPartition key_;
  const SinkTarget target_;
  const TopicPartition at_;
  const std::function<bool()> wanted_;
  std::optional<RelayGoOn> word_;
  Ends before_;  // asked before the fence
  std::vector<RememberedProducer> remembered_;
  RelayClaims claims_;
  TargetOffset scan_to_min_;
  RelayScan scanned_;
  RelayTakenOver taken_;
};

}  // namespace farshore::replicator
