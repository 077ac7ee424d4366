// BatchSink: appends the batches of pumps to a target. A sink takes what is ready from many pumps into one request and
// hands each partition's result back to its pump. The replicator asks the sink for what a pump wishes done first (open,
// truncate, advance). MirrorSink (mirror_sink.h) appends to Farshore brokers, RelaySink (relay/relay_sink.h) to any
// Kafka. Executor: the replicator's, for all calls.
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
  LostRange lost;  // what was removed
};

class BatchSink {
 public:
  virtual ~BatchSink() = default;
  // From now on the pump may be ready(). It stays in place until detach(). Results of appends that are in flight at
  // detach() are dropped.
  virtual void attach(PartitionPump& pump, SinkTarget target) = 0;
  virtual void detach(const LinkPartition& key) = 0;
  // take() of this (attached) pump has something.
  virtual void ready(PartitionPump& pump) = 0;

  // Begins a new session and returns what the target has. It ends older sessions of the partition.
  // Errors of all three: kFenced (a newer gateway has the link), kPermissionDenied (not a mirror of this link),
  // kNotFound (no such target), kConflict (the session ended: open), otherwise retriable.
  virtual Task<Result<TargetState>> open(LinkPartition key) = 0;
  // Removes what is above the common point: `end`, or where the target's own epochs up to `epoch` end, if that is
  // lower.
  virtual Task<Result<Truncated>> truncate(LinkPartition key, PumpSession session, SourceOffset end,
                                           LogEpoch epoch) = 0;
  // The source's log begins at `to`, above the target's end: the target goes on there.
  virtual Task<Result<TargetState>> advance_log_start(LinkPartition key, PumpSession session, SourceOffset to) = 0;

  // Append requests that are on their way to the target's brokers.
  virtual size_t appends_in_flight() const = 0;
  // To the farthest of the target's brokers that were connected to; 0: none yet.
  virtual Duration round_trip() const = 0;

  virtual Task<void> stop() = 0;  // ends requests in flight; nothing is handed to pumps any more
};

}  // namespace farshore::replicator
