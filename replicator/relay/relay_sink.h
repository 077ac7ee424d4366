// RelaySink: appends to partitions of any Kafka cluster (Apache Kafka first), without recompression: the header of a
// batch is stamped with our own producer id, epoch and sequence, the CRC is combined, the payload stays as it is. The
// target picks the offsets; RelayJournal keeps the translation of source offsets to target offsets.
//
//   open() ---------> RelayTakeover: fence, find the source offset, continue from sequence 0 under a new epoch
//   lane_send() ----> RelayPartition: next batch, an anchor if it needs one, stamp --> Produce --> answers, in order
//   RelayOwnership -> still the owner? Nothing is sent for a partition of which that is not known.
//
// Nothing is ever retried by sequence. After any result that is not a plain acknowledgement the partition is taken over
// again (Kafka forgets producers by the batches' own timestamps, so a retry of old data could be appended twice).
// A batch that cannot be relayed unchanged in this version (transactional, with gaps inside, LogAppendTime) fails the
// partition with kUnsupported and the reason, after everything before it was acknowledged. A batch without records (a
// transaction marker) is passed over; an anchor behind it records that. An anchor is
// written, and waited for, whenever there is a gap in the source offsets or the source's epoch changes, once everything
// before it was acknowledged: a source with gaps between its batches is relayed one round trip per gap.
// Executor: the replicator's. Memory: what is in flight keeps its budget until it is answered.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/env.h"
#include "base/gate.h"
#include "proto/kafka/client/cluster_client.h"
#include "proto/kafka/messages/produce.h"
#include "replicator/relay/former_partitions.h"
#include "replicator/relay/options.h"
#include "replicator/relay/ownership.h"
#include "replicator/relay/relay_partition.h"
#include "replicator/relay/scan_bound.h"
#include "replicator/relay/stall_clock.h"
#include "replicator/sink.h"
#include "replicator/sink_lane.h"

namespace farshore::replicator {

class RelaySink final : public BatchSink, private SinkLaneOwner, private RelayOwnership::Partitions {
 public:
  // All references outlive it. Partitions share the transactional ids of their shards (shards.h), but each has its own
  // epoch: one ambiguous result takes over one partition, not its shard.
  RelaySink(Env& env, kafka::ClusterClient& target, RelayJournal& journal, RelaySinkOptions options);

  void attach(PartitionPump& pump, SinkTarget target) override;
  void detach(const LinkPartition& key) override;
  void ready(PartitionPump& pump) override;
  // Besides the errors of BatchSink: kOutOfRange with the uncertain range where no evidence is left (final).
  Task<Result<TargetState>> open(LinkPartition key) override;
  // kUnsupported: Kafka cannot be truncated. Pumps of a relay never ask (relay_pump_options).
  Task<Result<Truncated>> truncate(LinkPartition key, PumpSession session, SourceOffset end, LogEpoch epoch) override;
  // The next batch begins a new anchor at `to`. If records before it were relayed or dropped meanwhile, the answer is
  // first the target's end. The pump then requests the gap again, from that end.
  Task<Result<TargetState>> advance_log_start(LinkPartition key, PumpSession session, SourceOffset to) override;
  // FormerPartitions; the partition's pump was removed, or does not run.
  Task<Result<TargetState>> find_end(LinkPartition key, SinkTarget target) {
    return former_.find_end(key, std::move(target),
                            [this, key] { return partitions_.count(key) == 0 && !stopping_.is_set(); });
  }
  Task<Status> forget(LinkPartition key, Deadline deadline) {
    words_.erase(key);
    return former_.forget(key, deadline);
  }
  // The next takeover of the partition follows the operator's word (evidence.h), and records that durably.
  void go_on_at(const LinkPartition& key, RelayGoOn word) { words_[key] = word; }
  size_t appends_in_flight() const override { return lanes_.requests_in_flight(); }
  Duration round_trip() const override { return lanes_.round_trip(); }
  Task<void> stop() override;

 private:
  struct Sent {  // one batch of a request
    LinkPartition key;
    uint64_t attempt = 0, flight = 0;
    std::string topic;
    TopicId topic_id;
  };
  using Produce = kafka::ProduceRequest;
  using Answer = kafka::ProduceResponse::PartitionProduceResponse;

  RelayPartition* find(const LinkPartition& key);
  RelayPartition* find(const LinkPartition& key, uint64_t attempt);
  void fail(const LinkPartition& key, uint64_t attempt, const Error& why);
  void queue(const LinkPartition& key, RelayPartition& partition);
  Task<Status> wait_for_anchor(LinkPartition key);
  bool wanted(const LinkPartition& key, uint64_t attempt) { return find(key, attempt) && !stopping_.is_set(); }

  Task<void> watch_for_stalls();
  void retake_all();

  std::vector<OwnedPartition> owned() override;
  void still_owned(const OwnedPartition& owned, MonoTime asked) override;
  void lost(const OwnedPartition& owned, const Error& fenced) override { fail(owned.key, owned.attempt, fenced); }
  bool may_send(const RelayPartition& partition) const {
    return partition.owned_at(env_.now()) || options_.test_only_skip_ownership;
  }

  bool lane_may_send(const SinkLane& lane) override;
  void lane_send(SinkLane& lane) override;
  void lane_idle(SinkLane& lane) override { lane.disconnect(); }
  void lane_unreachable(SinkLane& lane, const LinkPartition& key, const Error& error) override;
  Task<Status> lane_reopens(SinkLane& lane) override;
  Status lane_may_still_send() override;

  bool next(const LinkPartition& key, RelayPartition& partition);
  Task<void> write_anchor(LinkPartition key, uint64_t attempt, RelayAnchor made);
  size_t add(const LinkPartition& key, RelayPartition& partition, Produce& request, std::vector<Sent>& sent);
  void answered(const std::vector<Sent>& sent, bool by_id, const Result<kafka::ProduceResponse>& response);
  void deliver(const Sent& sent, const Answer* answer);
  void acknowledge(const LinkPartition& key, uint64_t attempt);

  Env& env_;
  kafka::ClusterClient& cluster_;
  RelayJournal& journal_;
  const RelaySinkOptions options_;
  SlabArena arena_;  // of merged batches
  std::map<LinkPartition, RelayPartition> partitions_;
  std::map<LinkPartition, RelayGoOn> words_;  // of partitions that were given up in part; at most one each
  std::set<LinkPartition> anchoring_;         // an anchor is being written; also of an older attempt
  uint64_t attempts_ = 0, flights_ = 0, newest_session_ = 0;
  bool watching_ = false;
  StallClock clock_;
  TakeoverSlots slots_, scans_;
  Notifier changed_;  // an anchor ended
  Event stopping_;
  SinkLanes lanes_;
  Gate gate_;
  RelayShards shards_;
  TargetQuestions questions_;
  const RelayTakeoverTools tools_;
  FormerPartitions former_;
  RelayOwnership ownership_;
  RelayScanBound scan_bound_;
};

}  // namespace farshore::replicator
