// BatchSink: appends the batches of pumps to a target. A sink takes what is ready from many pumps into one request and
// hands each partition's result back to its pump. Before that, the replicator calls open(), truncate() or
// advance_log_start() for the pump's control requests (ControlRequest). MirrorSink (mirror_sink.h) appends to Farshore
// brokers, RelaySink (relay/relay_sink.h) to any Kafka. Executor: the replicator's, for all calls.
#pragma once

#include <string>

#include "base/task.h"
#include "replicator/source_state.h"

namespace farshore::replicator {

// The partition at the target that a pump fills.
struct SinkTarget {
  std::string topic;
  TargetTopicId topic_id;
};

struct Truncated {
  TargetState state;
  LostRange lost;  // the removed range
};

class BatchSink {
 public:
  virtual ~BatchSink() = default;
  // From now on the pump may be ready(). It stays in place until detach(). Results of appends that are in flight at
  // detach() are dropped.
  virtual void attach(PartitionPump& pump, SinkTarget target) = 0;
  virtual void detach(const LinkPartition& key) = 0;
  // take() of this (attached) pump returns something now.
  virtual void ready(PartitionPump& pump) = 0;

  // Begins a new session and returns what the target has. It ends older sessions of the partition.
  // Errors of all three: kFenced (a newer gateway has the link), kPermissionDenied (not a mirror of this link),
  // kNotFound (no such target), kConflict (the session ended: open), otherwise retriable.
  virtual Task<Result<TargetState>> open(LinkPartition key) = 0;
  // Removes all records above the common point: the lower one of `end` and the end of the target's own epochs up to
  // `epoch`.
  virtual Task<Result<Truncated>> truncate(LinkPartition key, PumpSession session, SourceOffset end,
                                           LogEpoch epoch) = 0;
  // The source's log begins at `to`, above the target's end: the target goes on there.
  virtual Task<Result<TargetState>> advance_log_start(LinkPartition key, PumpSession session, SourceOffset to) = 0;

  // Append requests that are on their way to the target's brokers.
  virtual size_t appends_in_flight() const = 0;
  // The longest round trip to a broker of the target that was connected to; 0: none was yet.
  virtual Duration round_trip() const = 0;

  virtual Task<void> stop() = 0;  // ends requests in flight; nothing is handed to pumps any more
};

}  // namespace farshore::replicator
