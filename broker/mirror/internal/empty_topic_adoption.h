// EmptyTopicAdoption: makes an ordinary topic of this cluster the mirror of a link, if no record was ever written to
// it: clients that subscribed before the link existed have had it created. Safe because a fence is raised before the
// ends are looked at: what was let in earlier is seen, and nothing is let in until the topic is a mirror. A topic with
// records, or with more partitions than its source, is refused and stays as it is.
// Executor: the broker's. Owner: MirrorTopics; made for one call.
#pragma once

#include "broker/mirror/mirror_topics.h"

namespace farshore::broker {

class EmptyTopicAdoption {
 public:
  // References outlive it.
  EmptyTopicAdoption(Env& env, MetadataManager& metadata, PartitionTable& partitions, TopicFences& fences,
                     const MirrorTopics::NewMirror& wanted)
      : env_(env), metadata_(metadata), partitions_(partitions), fences_(fences), wanted_(wanted) {}

  // TOPIC_ALREADY_EXISTS: it cannot be a mirror, with the way out. A dry run only looks.
  Task<MirrorTopics::Answer> run(TopicPtr topic, Deadline deadline);

 private:
  static constexpr Duration kFenceLasts = seconds(30);  // also if this broker stops in between

  Refusal check_partitions(const TopicImage& topic) const;
  // TOPIC_ALREADY_EXISTS: a record was written to it.
  Refusal check_empty(const TopicImage& topic) const;
  Task<MirrorTopics::Answer> take(TopicPtr topic, FenceNumber number, Deadline deadline);
  // What this broker announced as the topic's own lineage goes: a mirror has that of its source.
  Task<Status> forget_lineage(TopicPtr topic, Deadline deadline);

  Env& env_;
  MetadataManager& metadata_;
  PartitionTable& partitions_;
  TopicFences& fences_;
  const MirrorTopics::NewMirror& wanted_;
};

}  // namespace farshore::broker
