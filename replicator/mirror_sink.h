// MirrorSink: appends batches to mirror partitions of a Farshore cluster by MirrorAppend, and opens, truncates and
// advances them by MirrorControl. One lane per target broker (sink_lane.h): ready batches of many partitions go into
// one request, with the record bytes as borrowed slices. An error of a connection fails all appends on it. Their pumps
// open new sessions and continue at the target's end. Executor: the replicator's. Memory: bytes in flight keep their
// budget until the append is answered.
#pragma once

#include <map>
#include <vector>

#include "base/env.h"
#include "proto/kafka/client/cluster_client.h"
#include "proto/kafka/messages/mirror_append.h"
#include "proto/kafka/messages/mirror_control.h"
#include "proto/link/mirror_control.h"
#include "replicator/pump.h"
#include "replicator/sink.h"
#include "replicator/sink_lane.h"

namespace farshore::replicator {

struct MirrorSinkOptions {
  size_t request_bytes_max = 4 << 20;
  size_t partition_bytes_max = 2 << 20;  // of one partition in one request
  // Requests in flight per broker. Up to `requests_eager` a request leaves with whatever is ready; beyond that, up to
  // `requests_max`, only if it would be large.
  size_t requests_eager = 2, requests_max = 8;
  size_t large_request_bytes = 1 << 20;
  Duration timeout = seconds(10);
  // A lane with nothing to send checks this often that the target answers: a target that restarted may have lost its
  // tail.
  Duration probe_interval = seconds(5);
};

class MirrorSink final : public BatchSink, private SinkLaneOwner {
 public:
  // Appends as `link` at `epoch`; a target that knows a higher epoch refuses everything with kFenced.
  MirrorSink(Env& env, kafka::ClusterClient& target, LinkId link, LinkEpoch epoch, MirrorSinkOptions options);

  void attach(PartitionPump& pump, SinkTarget target) override;
  void detach(const LinkPartition& key) override;
  void ready(PartitionPump& pump) override;
  Task<Result<TargetState>> open(LinkPartition key) override;
  Task<Result<Truncated>> truncate(LinkPartition key, PumpSession session, SourceOffset end, LogEpoch epoch) override;
  Task<Result<TargetState>> advance_log_start(LinkPartition key, PumpSession session, SourceOffset to) override;
  size_t appends_in_flight() const override { return lanes_.requests_in_flight(); }
  Duration round_trip() const override { return lanes_.round_trip(); }
  Task<void> stop() override { return lanes_.stop(); }

 private:
  struct Entry {
    PartitionPump* pump = nullptr;
    SinkTarget target;
    uint64_t serial = 0;       // of the attach: generations of two pumps of one key say nothing of each other
    SinkLane* lane = nullptr;  // of the leader, since open()
    bool queued = false;
  };
  struct InFlight {  // one partition of a request
    LinkPartition key;
    uint64_t serial = 0;
    TargetTopicId target_topic;
    uint32_t generation = 0;
    SourceOffset base, next;
    LogEpoch epoch;
    Budget::Token budget;
  };
  using Append = kafka::MirrorAppendRequest;
  using AppendResult = kafka::MirrorAppendResponse::MirrorAppendPartitionResult;
  using Control = kafka::MirrorControlRequest;
  using ControlResult = kafka::MirrorControlResponse::MirrorControlPartitionResult;

  Entry* find(const LinkPartition& key);
  Entry* find(const InFlight& flight);
  bool lane_may_send(const SinkLane& lane) override;
  void lane_send(SinkLane& lane) override;
  void lane_idle(SinkLane& lane) override;
  void lane_lost(SinkLane& lane) override;
  void lane_unreachable(SinkLane& lane, const LinkPartition& key, const Error& error) override;
  Append new_request() const;
  // Moves one append into `request`.
  InFlight add(const LinkPartition& key, const Entry& entry, Pumped pumped, Append& request) const;
  void send(SinkLane& lane, Append request, std::vector<InFlight> in_flight);
  void answered(std::vector<InFlight>& in_flight, const Result<kafka::MirrorAppendResponse>& response);
  void deliver(std::vector<InFlight>& in_flight, const kafka::MirrorAppendResponse& response);
  void deliver_one(InFlight& flight, const AppendResult* result);
  void fail_all(const std::vector<InFlight>& in_flight, const Error& error);
  Task<Result<ControlResult>> control(LinkPartition key, MirrorOperation operation, PumpSession session, int64_t offset,
                                      int32_t epoch);
  static Result<TargetState> state_of(const ControlResult& result);

  Env& env_;
  kafka::ClusterClient& target_;
  const LinkId link_;
  const LinkEpoch epoch_;
  const MirrorSinkOptions options_;
  std::map<LinkPartition, Entry> entries_;
  uint64_t attached_ = 0;
  SinkLanes lanes_;
};

}  // namespace farshore::replicator
