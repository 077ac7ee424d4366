// RelayTakeover: one takeover of a partition of the target, from "another gateway may still write" to "we alone write,
// and know the next source offset". In this order:
//
//   1. read the leader's state of our producer            (our marker will clear it)
//   2. fence: raise the epoch of the shard's transactional id, and have an abort marker written (shards.h)
//   3. read the log of record up to the shard's marker: the claims
//   4. lower the claims if the target lost records that they name
//   5. scan the target from the end of the claims up to our marker: the evidence
//   6. decide at which source offset to continue (evidence.h), and write down what was found
//
// If the claims name another producer id than the shard's, our marker does not fence the former owner. Either it is a
// gateway of before there were shards: then the partition's own id, which it had, is fenced too. Or the target has
// forgotten the id: then that owner stops by itself (ownership.h), and the takeover waits until it surely has. Steps 2
// and 3 follow again: what that owner wrote last is before the second marker, and before the end of the log.
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
#include "replicator/relay/shards.h"
#include "replicator/relay/takeover_slots.h"
#include "replicator/relay/target_questions.h"
#include "replicator/sink.h"

namespace farshore::replicator {

struct RelayTakenOver {
  kafka::ProducerIdentity producer;
  uint64_t session = 0;  // of the partition's shard
  MonoTime owned_at;     // when the ownership was confirmed last
  RelayResume resume;
  TargetOffset target_end;    // no batch of ours is at or above it
  LeadershipEpoch epoch{-1};  // of the leader that wrote our marker
  int32_t broker = -1;        // the leader
  TopicId topic_id;           // zero: the target is too old to have ids
  bool gave_up = false;       // it goes on by the operator's word, and that is written down
};

// What all takeovers of a sink work with. All outlive them.
struct RelayTakeoverTools {
  Env& env;
  kafka::ClusterClient& cluster;
  RelayJournal& journal;
  RelayShards& shards;
  TargetQuestions& questions;
  TakeoverSlots& scans;  // how many read the target with a reader of their own
  const RelaySinkOptions& options;
};

class RelayTakeover {
 public:
  // References outlive it. `slot`: its own, entered; it leaves the slot while it waits for a former owner. `wanted` is
  // asked between the steps; false ends the takeover with kClosed.
  RelayTakeover(const RelayTakeoverTools& tools, TakeoverSlots::Slot& slot, LinkPartition key, SinkTarget target,
                std::function<bool()> wanted);
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
  Task<Status> check_topic(Deadline deadline);
  // Fences, and reads the claims.
  Task<Status> take(RelayLogWriter writer, Deadline deadline);
  // The claims name another producer id than the shard's.
  Task<Status> take_from_another_id();
  // Of before there were shards. Nothing: the cluster does not know the partition's own id.
  Task<Result<std::optional<kafka::ProducerIdentity>>> fence_partition_id(Deadline deadline);
  // Asks the target again if it was asked long ago: a takeover may take longer than an ownership is good for.
  Task<Status> confirm_ownership();
  Task<Status> lower_claim(TargetOffset target);
  Task<Status> lower_to_epoch_end(Deadline deadline);
  Task<Status> wait_for_old_producer();
  Task<Status> scan();
  Status decide();
  // Hands what was found to the journal. Where the word or another producer id demands it, writes an anchor: so that
  // the next takeover knows.
  Task<Status> write_down();

  const RelayTakeoverTools& tools_;
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
  bool renamed_ = false;  // what is written down names another producer id
  TopicPartition log_;    // of the log of record
  Ends before_;           // asked before the fence
  std::vector<RememberedProducer> remembered_;
  RelayClaims claims_;
  TargetOffset scan_to_min_;
  RelayScan scanned_;
  RelayTakenOver taken_;
};

}  // namespace farshore::replicator
