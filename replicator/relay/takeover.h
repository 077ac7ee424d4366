// A takeover: from "somebody may be writing" to "we are the only one, and know the next source offset". See
// relay_sink.h.
#pragma once

#include <functional>

#include "replicator/relay/relay_sink.h"

namespace farshore::replicator {

// Whose epochs say who relays a partition: farshore.<link id>.<source topic id>.<partition>.
std::string relay_transactional_id(const PumpKey& key);

struct RelayTakenOver {
  RelayProducer producer;
  RelayResume resume;
  TargetOffset target_end;    // nothing of ours stands at or above it
  LeadershipEpoch epoch{-1};  // of the leader that wrote our marker
  int32_t broker = -1;        // the leader
  TopicId topic_id;           // zero: the target is too old to have ids
};

struct RelayTakeoverOf {
  PumpKey key;
  SinkTarget target;
  std::string transactional_id;
  std::function<bool()> wanted;  // asked between the steps: false ends it with kClosed
};

// Errors: kFenced (lost to another gateway), kInvalidArgument (it is another topic now), kOutOfRange (no evidence is
// left; the detail names the source offsets), kPermissionDenied, kNotFound (a broker does not know the partition);
// otherwise retriable.
Task<Result<RelayTakenOver>> take_over(Env& env, kafka::ClusterClient& cluster, RelayJournal& journal,
                                       const RelaySinkOptions& options, RelayTakeoverOf what);

}  // namespace farshore::replicator
