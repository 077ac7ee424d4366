#include "replicator/source_place.h"

namespace farshore::replicator {

SourcePlace find_source(const kafka::ClusterView& view, const LinkPartition& key, const std::string& topic) {
  using Kind = SourcePlace::Kind;
  using Code = kafka::ErrorCode;
  SourcePlace place;
  auto it = view.topics.find(topic);
  if (it == view.topics.end()) return place;
  const auto& found = it->second;
  const auto code = static_cast<Code>(found.error_code);
  if (code == Code::kUnknownTopicOrPartition || code == Code::kUnknownTopicId) {
    place.kind = Kind::kMissing;
    place.error = Error(ErrorCode::kNotFound, "source topic " + topic + " is not there");
  } else if (code != Code::kNone) {
    place.kind = Kind::kRefused;
    place.error = kafka::to_error(found.error_code, "source topic " + topic);
  } else if (!found.id.is_zero() && !key.source_topic.is_zero() && SourceTopicId(found.id) != key.source_topic) {
    place.kind = Kind::kRecreated;
    place.error =
        Error(ErrorCode::kConflict, "source topic " + topic + " was deleted and made anew: its id is " +
                                        found.id.to_string() + ", mirrored was " + key.source_topic.to_string());
  } else {
    const auto* partition = view.partition(topic, key.partition.value());
    if (!partition || partition->leader < 0) {
      place.kind = Kind::kLeaderless;
      place.error = Error(ErrorCode::kUnavailable,
                          "partition " + std::to_string(key.partition.value()) + " of " + topic + " has no leader");
    } else {
      place.kind = Kind::kLed;
      place.broker = partition->leader;
      place.leader_epoch = LeadershipEpoch(partition->leader_epoch);
    }
  }
  return place;
}

}  // namespace farshore::replicator
