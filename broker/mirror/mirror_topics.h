// MirrorTopics: the mirror topics in the metadata: which link may write one, their creation, their adoption by a new
// link once their own link was deleted, and the adoption of topics that clients had created and nobody has written to.
// Executor: the broker's. Owner: Broker. Durability: link epochs and mirrors are durable when a call returns.
#pragma once

#include <string>
#include <vector>

#include "broker/metadata/metadata.h"
#include "broker/metadata/refusal.h"
#include "broker/metadata/topic_config.h"
#include "broker/mirror/stored_links.h"
#include "broker/mirror/topic_fences.h"
#include "broker/partitions/partition_table.h"
#include "broker/partitions/topic_creator.h"

namespace farshore::broker {

class MirrorTopics {
 public:
  MirrorTopics(Env& env, MetadataManager& metadata, PartitionTable& partitions, TopicCreator& creator,
               TopicFences& fences)
      : env_(env), metadata_(metadata), partitions_(partitions), creator_(creator), fences_(fences), links_(metadata) {}

  struct Answer {
    TopicPtr topic;  // the newest state; null if there is none
    Refusal refusal;
  };

  // The topic, if `link` at `epoch` may write it. UNKNOWN_TOPIC_ID, POLICY_VIOLATION (no mirror, of another link, or
  // promoted), PRODUCER_FENCED (a newer gateway has the link).
  Answer find(const TopicId& topic, const LinkId& link, LinkEpoch epoch) const;

  // Raises the topic's link epoch to `epoch`, so that gateways with a lower one are refused. PRODUCER_FENCED: it is
  // higher already.
  Task<Refusal> take_link_epoch(TopicPtr topic, LinkEpoch epoch, Deadline deadline);

  struct NewMirror {
    std::string name;
    int32_t partitions = 0;
    TopicConfigs configs;  // those that this broker does not know are left out
    MirrorImage mirror;    // its provenance: that of the source topic, without the source cluster
    bool dry_run = false;  // nothing is changed
  };
  // Creates a mirror, or grows the one that is there, or adopts one of the same source topic whose link was deleted, or
  // an ordinary topic without records (EmptyTopicAdoption).
  // PRODUCER_FENCED (a newer gateway has the link), INVALID_REQUEST (the data comes from this cluster: a cycle),
  // TOPIC_ALREADY_EXISTS (no mirror, and written to), POLICY_VIOLATION (of another link, or promoted),
  // LEADER_NOT_AVAILABLE (being promoted: ask again), INCONSISTENT_TOPIC_ID (it mirrors another topic), and what
  // TopicCreator refuses.
  Task<Answer> create(NewMirror wanted, Deadline deadline);

 private:
  Refusal check_source(const NewMirror& wanted) const;
  // `topic` is a mirror of another link. The answer has the topic as the wanted link's own; or says why not.
  Task<Answer> adopt(TopicPtr topic, const NewMirror& wanted, Deadline deadline);
  static Refusal check_existing(const TopicImage& there, const NewMirror& wanted);
  Task<Answer> grow(TopicPtr topic, int32_t partitions, Deadline deadline);

  Env& env_;
  MetadataManager& metadata_;
  PartitionTable& partitions_;
  TopicCreator& creator_;
  TopicFences& fences_;
  StoredLinks links_;
};

}  // namespace farshore::broker
