// RelayTarget: the target of a relay link, any Kafka cluster. Batches are produced there without recompression; the
// cluster picks their offsets, and the translation (log of record __farshore_offsets at the target, local image in
// offsets/store) maps source offsets to target offsets, exactly. The facts that a Farshore target stores with a mirror
// topic are kept in the LinkStore (RelayTopicStore).
// Executor: the Env's. Owner: Link.
#pragma once

#include "linker/relay/journal.h"
#include "linker/relay/relay_topic_store.h"
#include "linker/relay/topic_configs.h"
#include "linker/relay/topic_presence.h"
#include "linker/target/link_target.h"
#include "replicator/relay/relay_sink.h"

namespace farshore::linker {

// Objects that all relay links of a gateway share. All outlive the targets.
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
  Task<Result<TargetTopic>> make(WantedTopic wanted, LinkSource source, Deadline deadline) override;  // TopicSetup
  // compression.type=producer and CreateTime always; retention.* = -1 until caught up, then as declared.
  Task<Result<ConfigPlan>> configs(std::string topic, std::map<std::string, std::string> followed, bool caught_up,
                                   Deadline deadline) override;
  Task<Result<PromotionRecord>> end(EndOfTopic request, replicator::Replicator& pumps,
                                    Deadline deadline) override;  // RelayEnd
  Task<Result<std::optional<TargetOffset>>> to_target(LinkPartition key, SourceOffset offset) override;
  Task<Result<api::TranslateOffsetReply>> translate(TargetTopic topic, api::TranslateOffsetRequest request,
                                                    SourceOffset mirrored_end) override;
  // kUnsupported: Apache Kafka computes no digests.
  Task<Status> verify(TargetTopic topic, int32_t partitions, LinkSource source, Verified verified,
                      Deadline deadline) override;
  Task<Result<std::map<std::string, std::string>>> gone(Deadline deadline) override;  // TopicPresence
  Task<Status> forget_below(LinkPartition key, SourceOffset log_start, Deadline deadline) override;
  Task<Status> give_up(TargetTopic topic, int32_t partition, SourceOffset to, std::string why,
                       Deadline deadline) override;
  std::optional<TargetOffset> end_at_target(const LinkPartition& key, SourceOffset) const override;
  void close() override;

 private:
  // Stores the declared retention, and that the relay has caught up. Later configs depend on both.
  Task<Result<RelayTopic>> note_retention(RelayTopic topic, RelayTopicConfigs::Declared declared, bool caught_up,
                                          Deadline deadline);

  Env& env_;
  const LinkId link_;
  const ClusterId source_cluster_id_;
  RelayServices services_;
  ClusterAdmin cluster_;
  kafka::ClusterClient data_;  // of its own: bytes never wait behind metadata
  replicator::RelaySink sink_;
  RelayTopicStore topics_;
  TopicPresence presence_;
};

}  // namespace farshore::linker
