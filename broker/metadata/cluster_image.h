// ClusterImage: brokers, topics and partitions of this cluster, at one revision of its MetaStore. Immutable: handlers
// read a shared_ptr<const ClusterImage> and never wait for metadata; MetadataManager replaces it after each change.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/meta_store.h"
#include "base/net.h"
#include "proto/link/mirror_state.h"
#include "proto/link/promotion_record.h"
#include "proto/link/write_fence.h"

namespace farshore::broker {

inline constexpr int kProducerIdSaltBits = 22;  // above a counter of 40 bits, and an id stays positive

struct MirrorImage {
  LinkId link;
  LinkEpoch link_epoch;  // the lowest one that may still write
  ClusterId source_cluster_id;
  std::string source_topic_name;
  SourceTopicId source_topic;
  MirrorState state = MirrorState::kActive;  // never PENDING
  std::string state_reason;
  std::vector<ClusterId> provenance;        // the clusters that this data came through, oldest first: the cycle check
  std::vector<PromotionRecord> promotions;  // of every end, oldest first (kPromotionsMax)
  // The state tells whether the last end holds: a topic that has ended can become a mirror again. While it holds, the
  // link writes no more. Clients write only when what was open is aborted and the producer ids are safe: a mirror that
  // ended is PENDING_STOPPED until then.
  bool ended() const { return !promotions.empty() && is_end(state); }
  bool writable() const { return state == MirrorState::kStopped; }  // by clients
  // Of the end that holds; null: it is a mirror.
  const PromotionRecord* promotion() const { return ended() ? &promotions.back() : nullptr; }
  void end(MirrorState how, PromotionRecord record) {
    state = how;
    add_promotion(promotions, std::move(record));
  }
  // The same of one partition: one that was offline when the mirror ended follows later.
  bool writable(size_t partition) const {
    if (!writable()) return false;
    const PromotionRecord* end = promotion();
    return !end || partition >= end->partitions.size() || end->partitions[partition].state == EndState::kDone;
  }
};

struct PartitionImage {
  int32_t partition = 0;
  LeadershipEpoch leadership_epoch;
  BrokerId leader;
  std::vector<BrokerId> replicas, isr;
  Revision mod_revision = 0;
  bool behind = false;  // its record still has a lower epoch: see TopicImage::raising
};

// A topic's record that is too long for one value is stored in parts, which its own key names.
struct TopicParts {
  TopicId topic;
  Uuid generation;  // of the parts: each version of the record has its own
  int32_t count = 0;
  friend bool operator==(const TopicParts&, const TopicParts&) = default;
};

struct TopicImage {
  std::string name;
  TopicId id;
  std::map<std::string, std::string> configs;  // overrides only
  std::vector<PartitionImage> partitions;      // index = partition id
  std::optional<MirrorImage> mirror;           // stays after promotion, as provenance
  bool read_only =
      false;  // a fence of nobody: set by a gateway of an older release, and only it or an operator lifts it
  std::vector<WriteFence> fences;  // of links that mirror this topic somewhere else, and promote it there
  bool fenced() const { return read_only || any_fence_holds(fences); }
  bool internal = false;  // __consumer_offsets and the like
  // Epochs that are decided, of more partitions than one transaction can write. They hold from the moment when the
  // topic's record names them (`partitions` has them already); the partitions' own records follow.
  std::map<int32_t, LeadershipEpoch> raising;
  std::optional<TopicParts> parts;  // how its record is stored
  Revision mod_revision = 0;
};

struct BrokerImage {
  BrokerId id;
  Endpoint advertised;
  std::string rack;
};

struct ClusterImage {
  std::string cluster_id;        // 22 characters, as Kafka's
  Uuid incarnation;              // new with every empty data directory: a wiped cluster behind a known address is found
  int64_t producer_id_salt = 0;  // 22 bits, non-zero
  std::vector<BrokerImage> brokers;
  BrokerId controller;
  std::map<std::string, std::shared_ptr<const TopicImage>> topics;
  std::map<TopicId, std::string> names_by_id;
  Revision revision = 0;

  const TopicImage* topic(const std::string& name) const {
    auto it = topics.find(name);
    return it == topics.end() ? nullptr : it->second.get();
  }
  const TopicImage* topic(const TopicId& id) const {
    auto it = names_by_id.find(id);
    return it == names_by_id.end() ? nullptr : topic(it->second);
  }
};

}  // namespace farshore::broker
