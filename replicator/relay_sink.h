// RelaySink: appends to partitions of any Kafka cluster (Apache Kafka first), without recompression: the header is
// stamped with our own producer id, epoch and sequence, the CRC combined, the payload untouched. The target picks the
// offsets; RelayJournal keeps which source offset became which.
//
// open() is the takeover (design §6): DescribeProducers, InitProducerId (epoch + 1), AddPartitionsToTxn of the data
// partition and its partition of the log of record, EndTxn(abort); then the marker is found in both, the evidence read
// (relay_evidence.h), and the partition goes on from sequence 0 under the new epoch. What an older owner still has on
// the way is refused by the target.
//
// Nothing is ever retried by sequence: after any result that is not a plain acknowledgement the partition is taken over
// anew (Kafka forgets producers by the batch's own timestamps, so a retry of old data could be appended twice).
// A batch that cannot be relayed raw in this version (transactional, control, with gaps inside, LogAppendTime) fails
// the partition with kUnsupported and the reason, after everything before it was acknowledged.
// Executor: the replicator's. Memory: what is in flight keeps its budget until it is answered.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/env.h"
#include "base/gate.h"
#include "proto/kafka/cluster_client.h"
#include "replicator/pump.h"
#include "replicator/relay_evidence.h"
#include "replicator/sink.h"

namespace farshore::replicator {

struct RelaySinkOptions {
  int batches_in_flight_max = 5;  // per partition: what Kafka remembers of a producer
  size_t request_bytes_max = 4 << 20;
  int requests_in_flight_max = 16;  // per target broker
  Duration timeout = seconds(10);   // of a produce request, at the target and here
  Duration takeover_limit = seconds(60);
  // A process that was stopped for longer than this sends nothing before it has taken its partitions over anew: after
  // the target's producer sweep (10 min by default) an old epoch would be accepted again.
  Duration pause_max = seconds(30);
  // If InitProducerId returns another producer id than the anchors name, requests of the old one may still be on their
  // way and no marker fences them: so long is waited before the evidence is read.
  Duration old_producer_wait = seconds(30);
  int32_t anchor_records_max = 1 << 30;
};

class RelaySink final : public BatchSink {
 public:
  // All references outlive it. The transactional id of a partition is
  // farshore.<link id>.<source topic id>.<partition>: one ambiguous result takes over one partition, not its link.
  RelaySink(Env& env, kafka::ClusterClient& target, LinkId link, RelayJournal& journal, RelaySinkOptions options);
  ~RelaySink() override;

  void attach(PartitionPump& pump, SinkTarget target) override;
  void detach(const PumpKey& key) override;
  void ready(PartitionPump& pump) override;
  // Besides the errors of BatchSink: kConflict with the uncertain range where no evidence is left (final).
  Task<Result<TargetState>> open(PumpKey key) override;
  // kUnsupported: Kafka cannot be truncated. Pumps of a relay have OnMismatch::kStop for divergence.
  Task<Result<Truncated>> truncate(PumpKey key, PumpSession session, SourceOffset end, LogEpoch epoch) override;
  // The next batch begins a new anchor at `to`.
  Task<Result<TargetState>> advance_log_start(PumpKey key, PumpSession session, SourceOffset to) override;
  size_t appends_in_flight() const override;
  Task<void> stop() override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace farshore::replicator
