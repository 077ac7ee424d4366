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
// An anchor is written, and waited for, whenever the source offset jumps or the source's epoch changes, once everything
// before it was acknowledged: a source with gaps between its batches is relayed one round trip per gap.
// Executor: the replicator's. Memory: what is in flight keeps its budget until it is answered.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/env.h"
#include "base/gate.h"
#include "proto/kafka/client/cluster_client.h"
#include "replicator/pump.h"
#include "replicator/relay/evidence.h"
#include "replicator/sink.h"

namespace farshore::replicator {

struct RelaySinkOptions {
  int batches_in_flight_max = 5;  // per partition: what Kafka remembers of a producer
  size_t request_bytes_max = 4 << 20;
  int requests_in_flight_max = 16;  // per target broker
  int takeovers_at_once_max = 16;
  // A connection that carried nothing for so long is closed before the target does it (connections.max.idle.ms).
  Duration idle_max = seconds(240);
  Duration timeout = seconds(10);  // of a produce request, at the target and here
  Duration takeover_limit = seconds(60);
  // A process that was stopped for longer than this sends nothing before it has taken its partitions over anew: after
  // the target's producer sweep (10 min by default) an old epoch would be accepted again.
  Duration pause_max = seconds(30);
  // If InitProducerId returns another producer id than the anchors name, requests of the old one may still be on their
  // way and no marker fences them: so long is waited before the evidence is read.
  Duration old_producer_wait = seconds(30);
  int32_t anchor_records_max = 1 << 30;
  // Planted bugs, for the simulation to find.
  bool test_only_skip_scan = false;    // go on where the last claim ends
  bool test_only_skip_marker = false;  // raise the epoch, and tell no partition
};

// What pumps of a relay need: a Kafka target cannot be cut, so a source with another history stops the partition.
inline PumpOptions relay_pump_options(PumpOptions options = {}) {
  options.on_divergence = OnMismatch::kStop;
  return options;
}

class RelaySink final : public BatchSink {
 public:
  // All references outlive it. The transactional id of a partition is
  // farshore.<link id>.<source topic id>.<partition>: one ambiguous result takes over one partition, not its link.
  RelaySink(Env& env, kafka::ClusterClient& target, LinkId link, RelayJournal& journal, RelaySinkOptions options);
  ~RelaySink() override;

  void attach(PartitionPump& pump, SinkTarget target) override;
  void detach(const PumpKey& key) override;
  void ready(PartitionPump& pump) override;
  // Besides the errors of BatchSink: kOutOfRange with the uncertain range where no evidence is left (final).
  Task<Result<TargetState>> open(PumpKey key) override;
  // kUnsupported: Kafka cannot be truncated. Pumps of a relay never ask (relay_pump_options).
  Task<Result<Truncated>> truncate(PumpKey key, PumpSession session, SourceOffset end, LogEpoch epoch) override;
  // The next batch begins a new anchor at `to`. If records before it were relayed or dropped meanwhile, the answer is
  // first where the target ends, so that the gap which is then asked for again is the true one.
  Task<Result<TargetState>> advance_log_start(PumpKey key, PumpSession session, SourceOffset to) override;
  size_t appends_in_flight() const override;
  Duration round_trip() const override;
  Task<void> stop() override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace farshore::replicator
