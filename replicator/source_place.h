// find_source(): the broker that leads a partition at the source, by the source's metadata. Pure, no I/O.
#pragma once

#include <string>

#include "proto/kafka/client/cluster_client.h"
#include "replicator/source_state.h"

namespace farshore::replicator {

struct SourcePlace {
  enum class Kind : uint8_t {
    kLed,        // by `broker`, in `leader_epoch`
    kUnknown,    // the metadata does not speak of the topic
    kMissing,    // the source has no such topic; this may be temporary (`error`)
    kRefused,    // the source refuses to describe the topic (`error`)
    kRecreated,  // the topic with this name has another id now (`error`)
    kLeaderless  // `error`
  };
  Kind kind = Kind::kUnknown;
  int32_t broker = -1;
  LeadershipEpoch leader_epoch{-1};
  Error error;
};

// `topic`: the source topic's name. Its id is compared with the key's, where both are known.
SourcePlace find_source(const kafka::ClusterView& view, const LinkPartition& key, const std::string& topic);

}  // namespace farshore::replicator
