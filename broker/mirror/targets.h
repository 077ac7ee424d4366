// MirrorTargets: who may write the mirror partitions of this broker, and what the source last said about each.
// Invariant: one writer. An append is accepted only if link epoch, pump session, end offset and the epoch of the batch
// before it are the target's own (Raft's prevLogIndex and prevLogTerm); opening a new session makes all older ones
// stale. Sessions live in memory: after a restart of the broker every pump opens a new one, and takes what the target
// then has. Link epochs and promotions are durable, in the metadata.
// Executor: the broker's. Owner: Broker.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/async_mutex.h"
#include "base/env.h"
#include "base/event.h"
#include "base/gate.h"
#include "broker/metadata/metadata.h"
#include "broker/partitions/partition_table.h"
#include "broker/services.h"
#include "proto/kafka/refusal.h"

namespace farshore::broker {

// What the source said with the last append or heartbeat.
struct SourceSeen {
  Offset high_watermark{-1}, log_start{-1}, last_stable{-1};
  LeadershipEpoch leader_epoch{-1};
  WallTime at{-1};  // of this broker; -1: not since it started
};

using MirrorProblem = kafka::Refusal;
MirrorProblem mirror_problem(const Error& error);

class MirrorTargets {
 public:
  // `services` may still be under construction.
  MirrorTargets(Env& env, Services& services) : services_(services), stopping_(env), gate_(env) {}
  // After the partitions are open: goes on with promotions that were interrupted, until they are finished.
  void start();
  Task<void> stop();
  // Some promotion could not be finished: it is tried again in the background.
  void unfinished();

  struct Target {
    explicit Target(Reactor& reactor) : lock(reactor) {}
    AsyncMutex lock;         // append, open, truncate and promote of one partition, one at a time
    PumpSession session{0};  // 0: none is open
    bool ended = false;      // the mirror has ended: no session is opened any more
    bool holds(PumpSession given) const { return !ended && given != PumpSession(0) && given == session; }
    LinkEpoch link_epoch{-1};
    SourceSeen source;
  };
  std::shared_ptr<Target> target(const TopicId& topic, int32_t partition);

  // The topic, if `link` at `epoch` may write it. UNKNOWN_TOPIC_ID, POLICY_VIOLATION (no mirror, of another link, or
  // promoted), PRODUCER_FENCED (a newer gateway has the link).
  struct Found {
    TopicPtr topic;
    MirrorProblem problem;
  };
  Found find(const TopicId& topic, const LinkId& link, LinkEpoch epoch) const;

  // A new session, which ends all older ones of the partition. The caller holds the lock.
  PumpSession open(Target& target, LinkEpoch epoch);

  struct Append {
    PumpSession session;
    LinkEpoch link_epoch;
    Offset expected_end;
    LogEpoch epoch_before{-1};
    SourceSeen source;
    BatchRun run;  // may be empty: only the source's state is told
  };
  // FENCED_LEADER_EPOCH: the session is stale. OFFSET_OUT_OF_RANGE: the log does not end where, or as, expected.
  // CORRUPT_MESSAGE, KAFKA_STORAGE_ERROR. Done when the high watermark has passed the batches (so: durable, where the
  // broker is configured to be).
  Task<MirrorProblem> append(PartitionPtr partition, Append append, Deadline deadline);

 private:
  Task<Status> raise_leadership(PartitionPtr partition, LogEpoch epoch, Deadline deadline);
  Task<void> finish_loop();
  Services& services_;
  Event stopping_;
  Gate gate_;
  bool finishing_ = false;
  std::map<std::pair<TopicId, int32_t>, std::shared_ptr<Target>> targets_;
};

}  // namespace farshore::broker
