// What the linker asks of a Farshore cluster beyond Kafka's protocol: mirror topics and the links' own key space.
// On a ClusterAdmin's connections. Executor: the Env's. Deadlines are the caller's.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "linker/cluster_identity.h"
#include "linker/link_spec.h"
#include "linker/store/link_store.h"
#include "proto/kafka/messages/mirror_control.h"

namespace farshore::linker {

using MirrorAnswer = kafka::MirrorControlResponse::MirrorControlTopicResult;

class TargetControl final : public LinkStore {
 public:
  TargetControl(Env& env, ClusterAdmin& cluster) : env_(env), cluster_(cluster) {}

  // --- links: in the cluster's MetaStore
  Task<Result<std::vector<StoredEntry>>> list(std::string prefix, Deadline deadline) override;
  Task<Result<int64_t>> replace(StoredEntry entry, Deadline deadline) override;

  // --- mirrors
  struct NewMirror {
    std::string topic, source_cluster_id, source_topic;
    TopicId source_topic_id;
    std::vector<std::string> provenance;
    int32_t partitions = 0;
    std::map<std::string, std::string> configs;
    bool dry_run = false;
  };
  // Makes the mirror, grows it, or finds it as it should be. kPermissionDenied: the target refuses (says why);
  // kFenced: a newer gateway has the link.
  Task<Result<MirrorAnswer>> create(LinkId link, LinkEpoch epoch, NewMirror mirror, Deadline deadline);
  // Promote (with the ends that must be reached) or failover.
  Task<Result<MirrorAnswer>> end_mirror(LinkId link, LinkEpoch epoch, TopicId topic,
                                        std::optional<std::map<int32_t, int64_t>> ends, bool dry_run,
                                        Deadline deadline);
  // Any topic of a Farshore cluster, by name.
  Task<Result<MirrorAnswer>> describe(std::string topic, int32_t partitions, Deadline deadline);
  // The mirror topics of `link` that the cluster has, promoted ones included, whatever became of the source.
  Task<Result<std::vector<MirrorAnswer>>> mirrors_of(LinkId link, Deadline deadline);
  Task<Status> set_read_only(std::string topic, bool read_only, Deadline deadline);
  // Digests of [from, to) of one partition, cut into at most `ranges`.
  Task<Result<MirrorAnswer>> digest(std::string topic, int32_t partition, int64_t from, int64_t to, int32_t ranges,
                                    Deadline deadline);

 private:
  struct Stored {
    std::string value;
    int64_t revision = 0;  // 0: not there
  };
  Task<Result<Stored>> read(std::string key, Deadline deadline);
  Task<Result<MirrorAnswer>> ask(kafka::MirrorControlRequest request, Deadline deadline);
  Env& env_;
  ClusterAdmin& cluster_;
};

}  // namespace farshore::linker
