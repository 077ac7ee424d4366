// MirrorSink: appends to mirror partitions of a Farshore cluster by MirrorAppend, and asks for the rest by
// MirrorControl. Per target broker one lane: what is ready of many partitions goes into one request, record bytes as
// borrowed slices; while requests are on their way the next one gathers.
// Errors of a connection fail all appends on it; their pumps open new sessions and take what the target says it has.
// Executor: the replicator's. Memory: what is in flight keeps its budget until it is answered.
#pragma once

#include <deque>
#include <map>
#include <memory>

#include "base/env.h"
#include "base/gate.h"
#include "proto/kafka/client/cluster_client.h"
#include "proto/kafka/messages/mirror_append.h"
#include "proto/kafka/messages/mirror_control.h"
#include "proto/link/mirror_control.h"
#include "replicator/pump.h"
#include "replicator/sink.h"

namespace farshore::replicator {

struct MirrorSinkOptions {
  size_t request_bytes_max = 4 << 20;
  size_t partition_bytes_max = 2 << 20;  // of one partition in one request
  // With so many requests under way, the next one waits; beyond `requests_eager` only if it would be large.
  int requests_eager = 2, requests_max = 8;
  size_t large_request_bytes = 1 << 20;
  Duration timeout = seconds(10);
  // A lane with nothing to send asks so often whether the target still answers: if not, it may come back with less.
  Duration probe_interval = seconds(5);
};

class MirrorSink final : public BatchSink {
 public:
  // Appends as `link` at `epoch`; a target that knows a higher epoch refuses everything with kFenced.
  MirrorSink(Env& env, kafka::ClusterClient& target, LinkId link, LinkEpoch epoch, MirrorSinkOptions options);
  ~MirrorSink() override;

  void attach(PartitionPump& pump, SinkTarget target) override;
  void detach(const PumpKey& key) override;
  void ready(PartitionPump& pump) override;
  Task<Result<TargetState>> open(PumpKey key) override;
  Task<Result<Truncated>> truncate(PumpKey key, PumpSession session, SourceOffset end, LogEpoch epoch) override;
  Task<Result<TargetState>> advance_log_start(PumpKey key, PumpSession session, SourceOffset to) override;
  size_t appends_in_flight() const override;
  Duration round_trip() const override { return round_trip_; }
  Task<void> stop() override;

 private:
  struct Lane;
  struct Entry {
    PartitionPump* pump = nullptr;
    SinkTarget target;
    uint64_t serial = 0;   // of the attach: generations of two pumps of one key say nothing of each other
    Lane* lane = nullptr;  // of the leader, since open()
    bool queued = false;
  };
  struct InFlight {  // one partition of a request
    PumpKey key;
    uint64_t serial = 0;
    TargetTopicId target_topic;
    uint32_t generation = 0;
    SourceOffset base, next;
    LogEpoch epoch;
    Budget::Token budget;
  };
  using Append = kafka::MirrorAppendRequest;
  using Control = kafka::MirrorControlRequest;
  using ControlResult = kafka::MirrorControlResponse::MirrorControlPartitionResult;

  Entry* find(const PumpKey& key);
  Entry* find(const InFlight& flight);
  Lane& lane_of(int32_t broker);
  Task<void> run_lane(std::shared_ptr<Lane> lane);
  bool may_send(const Lane& lane);
  bool gather(Lane& lane, Append& request, std::vector<InFlight>& in_flight);
  // Puts the request in line at once: what belongs together of a partition arrives in the order in which it was taken.
  void send(const std::shared_ptr<Lane>& lane, Append request, std::vector<InFlight> in_flight);
  Task<void> await_answer(std::shared_ptr<Lane> lane, std::vector<InFlight> in_flight,
                          Task<Result<kafka::MirrorAppendResponse>> answer);
  void deliver(std::vector<InFlight>& in_flight, const kafka::MirrorAppendResponse& response);
  void fail_all(const std::vector<InFlight>& in_flight, const Error& error);
  void fail_lane(const Lane& lane);
  Task<Result<ControlResult>> control(PumpKey key, MirrorOperation operation, PumpSession session, int64_t offset,
                                      int32_t epoch);
  static Result<TargetState> state_of(const ControlResult& result);

  Env& env_;
  kafka::ClusterClient& target_;
  const LinkId link_;
  const LinkEpoch epoch_;
  const MirrorSinkOptions options_;
  std::map<PumpKey, Entry> entries_;
  uint64_t attached_ = 0;
  std::map<int32_t, std::shared_ptr<Lane>> lanes_;
  Duration round_trip_{};
  Event stopping_;
  Gate gate_;
};

}  // namespace farshore::replicator
