// RelayTarget: the target of a relay link, any Kafka cluster. Batches are produced there without recompression; the
// cluster picks the offsets, and the translation (offsets/store, its log of record at the target) says exactly which
// source offset became which. What a Farshore target would know of the topic itself stands in the LinkStore
// (relay_topic.h), written before the topic is made.
#pragma once

#include "linker/link/target.h"
#include "linker/relay/journal.h"
#include "linker/store/link_store.h"
#include "proto/kafka/client/topic_admin.h"
#include "proto/link/relay_topic.h"
#include "replicator/relay/relay_sink.h"

namespace farshore::linker {

// What all relay links of a gateway share. All outlive the targets.
struct RelayServices {
  LinkStore& store;
  KafkaRelayJournal& journal;
  offsets::TranslationStore& translations;  // the journal's image, to read
};

class RelayTarget final : public LinkTarget {
 public:
  // `env` and `connector` outlive it.
  RelayTarget(Env& env, Connector& connector, const StoredLink& link, RelayServices services);

  ClusterAdmin& cluster() override { return cluster_; }
  replicator::BatchSink& sink() override { return sink_; }
  std::string kind() const override { return "kafka"; }
  Status fits(const ClusterIdentity& target) const override;
  Task<Result<std::vector<TargetTopic>>> adopt(Deadline deadline) override;
  // Refused for good: a topic with records that this link did not make, a topic of another link, a source topic or a
  // target topic that was deleted and made anew, a source with LogAppendTime, more partitions than the source. Values
  // of the source's configs that the target refuses (below its minimum, against its policy) are left out, and are
  // drift.
  Task<Result<TargetTopic>> make(WantedTopic wanted, LinkSource source, Deadline deadline) override;
  // compression.type=producer and CreateTime always; retention.* = -1 until caught up, then as declared.
  Task<Result<ConfigPlan>> configs(std::string topic, std::map<std::string, std::string> followed, bool caught_up,
                                   Deadline deadline) override;
  // Pauses the pumps and takes every partition over once more, so that what is still on its way is refused: the end is
  // exact. A partition that cannot be taken over any more (its relay is FAILED) ends where the translation ends.
  Task<Result<PromotionRecord>> end(EndOfTopic request, replicator::Replicator& pumps, Deadline deadline) override;
  Task<Result<std::optional<TargetOffset>>> to_target(replicator::PumpKey key, SourceOffset offset) override;
  Task<Result<api::TranslateOffsetReply>> translate(TargetTopic topic, api::TranslateOffsetRequest request,
                                                    SourceOffset mirrored_end) override;
  Task<Status> verify(TargetTopic topic, int32_t partitions, LinkSource source, Verified verified,
                      Deadline deadline) override;
  // A topic that is missing is gone when it was missing `missing_looks_max` times in a row: brokers learn of topics one
  // after another.
  Task<Result<std::map<std::string, std::string>>> gone(Deadline deadline) override;
  Task<Status> forget_below(replicator::PumpKey key, SourceOffset log_start, Deadline deadline) override;
  std::optional<TargetOffset> end_at_target(const replicator::PumpKey& key, SourceOffset) const override;
  void close() override;

 private:
  struct Kept {
    RelayTopic topic;
    int64_t revision = 0;
  };
  Task<Status> load(Deadline deadline);
  const RelayTopic* kept(const std::string& topic) const;  // null: not a topic of this link
  Task<Status> keep(RelayTopic topic, Deadline deadline);  // stores it, and remembers
  Task<Status> not_of_another_link(std::string topic, Deadline deadline);
  using Drift = std::vector<std::string>;  // configs of the source that the target refused, in words
  struct RelayConfigs {
    std::map<std::string, std::string> needed, followed;  // the relay cannot do without; it can
    std::map<std::string, std::string> all() const {
      auto out = needed;
      out.insert(followed.begin(), followed.end());
      return out;
    }
  };
  Task<Result<TopicInfo>> until_shown(std::string topic, int32_t partitions, Deadline deadline);
  Task<Result<Drift>> make_at_target(RelayTopic topic, RelayConfigs configs, Deadline deadline);
  Task<Result<Drift>> create_at_target(RelayTopic topic, RelayConfigs configs, bool dry_run, Deadline deadline);
  Task<Result<Drift>> configure_at_target(std::string topic, RelayConfigs configs, Deadline deadline);
  Task<Status> check_source(const TopicInfo& topic, LinkSource source, std::map<std::string, std::string>& configs,
                            Deadline deadline);
  Task<Status> check_target(RelayTopic topic, Deadline deadline);
  Task<Status> grow(RelayTopic topic, int32_t partitions, Deadline deadline);
  Task<Result<PromotionRecord::PartitionEnd>> end_of(replicator::PumpKey key, bool take_over,
                                                     replicator::Replicator& pumps, Deadline deadline);
  Task<Result<PromotionRecord::PartitionEnd>> claimed_end(replicator::PumpKey key, Deadline deadline);
  Task<void> restore_retention(RelayTopic topic, Deadline deadline);
  static TargetTopic target_topic(const RelayTopic& topic);

  Env& env_;
  const LinkId link_;
  const std::string name_;
  const ClusterId source_cluster_id_;
  RelayServices services_;
  ClusterAdmin cluster_;
  kafka::TopicAdmin topics_;
  kafka::ClusterClient data_;  // of its own: bytes never wait behind metadata
  replicator::RelaySink sink_;
  std::map<std::string, Kept> kept_;  // by name at the target; also what a deleted link of the same name left behind
  bool loaded_ = false;
  std::map<std::string, int> missing_looks_;  // by topic: so often in a row it was not there
};

}  // namespace farshore::linker
