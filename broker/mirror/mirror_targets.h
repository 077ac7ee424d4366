// MirrorTargets: the sessions that may write to the mirror partitions of this broker, and the source's last report for
// each partition.
// Invariant: one writer. An append is accepted only if its link epoch, its pump session, the end offset and the epoch
// of the batch before it are the target's own (as Raft's prevLogIndex and prevLogTerm). A new session makes all older
// sessions of the partition stale. Sessions live in memory: after a restart of the broker every pump opens a new one,
// and continues where the target then ends. Link epochs and promotions are durable, in the metadata.
// Executor: the broker's. Owner: Broker.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/async_mutex.h"
#include "base/env.h"
#include "base/event.h"
#include "broker/metadata/metadata.h"
#include "broker/metadata/refusal.h"
#include "broker/partitions/partition.h"

namespace farshore::broker {

// State of the source, as reported with the last append or heartbeat.
struct SourceSeen {
  Offset high_watermark{-1}, log_start{-1}, last_stable{-1};
  LeadershipEpoch leader_epoch{-1};
  WallTime at{-1};  // of this broker; -1: not since it started
};

class MirrorTargets {
 public:
  MirrorTargets(Env& env, MetadataManager& metadata) : env_(env), metadata_(metadata), raising_(env) {}

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
  std::shared_ptr<Target> target(const Partition& partition);
  // No append of a session that is open now begins any more.
  void end_sessions(const TopicId& topic);

  struct Opened {
    PumpSession session;
    Refusal refusal;
  };
  // A new session, which ends all older ones of the partition. POLICY_VIOLATION: the mirror has ended.
  // REQUEST_TIMED_OUT, of this and the calls below: something else is still at work on the partition.
  Task<Opened> open(PartitionPtr partition, LinkEpoch epoch, Deadline deadline);

  struct Append {
    PumpSession session;
    LinkEpoch link_epoch;
    Offset expected_end;
    LogEpoch epoch_before{-1};
    SourceSeen source;
    BatchRun run;  // may be empty: only the source's state is reported
  };
  // FENCED_LEADER_EPOCH: the session is stale. OFFSET_OUT_OF_RANGE: the log has another end offset or another last
  // epoch than expected. CORRUPT_MESSAGE, KAFKA_STORAGE_ERROR. Done when the high watermark has passed the batches (so:
  // durable, where the broker is configured to be).
  Task<Refusal> append(PartitionPtr partition, Append append, Deadline deadline);

  struct Truncated {
    Refusal refusal;
    Offset from{-1}, to{-1};  // the removed range [from, to); -1: nothing
  };
  // Cuts the log at the common point with a source whose epoch `epoch` ends at `offset`. Below the log start, the log
  // becomes empty and continues there. FENCED_LEADER_EPOCH as append().
  Task<Truncated> truncate(PartitionPtr partition, PumpSession session, LogEpoch epoch, Offset offset,
                           Deadline deadline);
  // Follows the source's log start. Above the end of this log: the log becomes empty and continues at `offset`.
  // FENCED_LEADER_EPOCH as append().
  Task<Refusal> advance_log_start(PartitionPtr partition, PumpSession session, Offset offset, Deadline deadline);

 private:
  void forget_gone_topics();
  Refusal check_position(const Partition& partition, const Target& target, const Append& append) const;
  Task<Refusal> append_run(PartitionPtr partition, BatchRun run, Deadline deadline);
  // Durably. Partitions of one topic that wait for it at the same time share one metadata transaction: after an
  // election at the source all of them come at once.
  Task<Status> raise_leadership(PartitionPtr partition, LogEpoch epoch, Deadline deadline);

  Env& env_;
  MetadataManager& metadata_;
  static constexpr size_t kLookAtMin = 10'000;
  // By topic and partition. Those of deleted topics go when there are `look_at_` of them.
  std::map<std::pair<TopicId, int32_t>, std::shared_ptr<Target>> targets_;
  size_t look_at_ = kLookAtMin;
  using Raises = std::map<int32_t, std::pair<PartitionPtr, LeadershipEpoch>>;  // by partition
  std::map<TopicId, Raises> raises_;                                           // that wait
  AsyncMutex raising_;
};

}  // namespace farshore::broker
