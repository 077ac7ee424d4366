// MirrorTarget: the target of a mirror link, a Farshore cluster. Topics keep the source's bytes and offsets. The
// cluster itself keeps which topic is a mirror of which link, and the promotion records (MirrorControl). Every request
// names the link and its epoch (proto/link/link_writer.h), so that the cluster refuses each write of a gateway that has
// lost the link. Executor: the Env's. Owner: Link.
#pragma once

#include "linker/store/metastore_link_store.h"
#include "linker/target/link_target.h"
#include "linker/target/mirror_presence.h"
#include "replicator/mirror_sink.h"

namespace farshore::linker {

class MirrorTarget final : public LinkTarget {
 public:
  // `env` and `connector` outlive it.
  MirrorTarget(Env& env, Connector& connector, const StoredLink& link);

  ClusterAdmin& cluster() override { return cluster_; }
  replicator::BatchSink& sink() override { return sink_; }
  LinkStore* own_store() override { return &links_; }
  std::string kind() const override { return "farshore"; }
  Status fits(const ClusterIdentity& target) const override;
  Task<Result<std::vector<TargetTopic>>> adopt(Deadline deadline) override;
  Task<Result<TargetTopic>> make(WantedTopic wanted, LinkSource source, Deadline deadline) override;
  Task<std::vector<Result<TargetTopic>>> make_all(std::vector<WantedTopic> wanted, LinkSource source,
                                                  Deadline deadline) override;
  Task<Result<std::map<std::string, std::string>>> gone(Deadline deadline) override { return presence_.gone(deadline); }
  Task<Result<ConfigPlan>> configs(std::string topic, std::map<std::string, std::string> followed, bool caught_up,
                                   Deadline deadline) override;
  Task<Result<PromotionRecord>> end(EndOfTopic request, replicator::Replicator& pumps, Deadline deadline) override;
  Task<Result<std::optional<TargetOffset>>> to_target(LinkPartition key, SourceOffset offset) override;
  Task<Result<api::TranslateOffsetReply>> translate(TargetTopic topic, api::TranslateOffsetRequest request,
                                                    SourceOffset mirrored_end) override;
  Task<Status> verify(TargetTopic topic, int32_t partitions, LinkSource source, Verified verified,
                      Deadline deadline) override;
  void close() override;

 private:
  Task<std::string> name_of(LinkId link, Deadline deadline);  // empty: no link of this target has this id
  // `origin`: the topic as the source describes it; it names the clusters that its records came from.
  MirrorClient::NewMirror new_mirror(const WantedTopic& wanted, const MirrorTopicAnswer& origin) const;
  Task<void> take_answer(const WantedTopic& wanted, Result<MirrorTopicAnswer> made, Result<TargetTopic>& out,
                         Deadline deadline);
  // The target has refused to make a topic. If this link ended it earlier, it is returned as such. If another link
  // fills it, the error names that link.
  Task<Result<TargetTopic>> look_at_refused(WantedTopic wanted, Error why, Deadline deadline);

  Env& env_;
  const LinkId link_;
  const LinkEpoch epoch_;
  const ClusterId source_cluster_id_;
  ClusterAdmin cluster_;
  MirrorPresence presence_;
  MirrorClient mirrors_;
  MetastoreLinkStore links_;
  // Of their own: bytes never wait behind metadata, nor does anything behind a verification.
  kafka::ClusterClient data_, verify_;
  MirrorClient verify_mirrors_;
  replicator::MirrorSink sink_;
};

}  // namespace farshore::linker
