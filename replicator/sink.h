// BatchSink: where pumps' batches go. A sink takes what is ready from many pumps into one request and hands each
// partition's result back to its pump; what a pump wishes done first (open, truncate, advance) is asked for by the
// replicator. MirrorSink (mirror_sink.h) is the one for Farshore brokers.
// Executor: the replicator's, for all calls.
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
  // From now on the pump may be ready(); until detach() it stays where it is. Results of appends under way at detach()
  // reach nobody.
  virtual void attach(PartitionPump& pump, SinkTarget target) = 0;
  virtual void detach(const PumpKey& key) = 0;
  // take() of this (attached) pump has something.
  virtual void ready(PartitionPump& pump) = 0;

  // A new session: what the target has. Older sessions of the partition are ended by it.
  // Errors of all three: kFenced (a newer gateway has the link), kPermissionDenied (not a mirror of this link),
  // kNotFound (no such target), kConflict (the session ended: open), otherwise retriable.
  virtual Task<Result<TargetState>> open(PumpKey key) = 0;
  // Removes what is above the common point: `end`, or where the target's own epochs up to `epoch` end, if that is
  // lower.
  virtual Task<Result<Truncated>> truncate(PumpKey key, PumpSession session, SourceOffset end, LogEpoch epoch) = 0;
  // The source's log begins at `to`, above the target's end: the target goes on there.
  virtual Task<Result<TargetState>> advance_log_start(PumpKey key, PumpSession session, SourceOffset to) = 0;

  // Append requests that are on their way to the target's brokers.
  virtual size_t appends_in_flight() const = 0;
  // To the farthest of the target's brokers that were connected to; 0: none yet.
  virtual Duration round_trip() const = 0;

  virtual Task<void> stop() = 0;  // ends what is under way; nothing is handed to pumps any more
};

}  // namespace farshore::replicator
