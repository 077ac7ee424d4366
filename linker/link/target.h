// LinkTarget: what differs between a link that mirrors (MirrorTarget: a Farshore cluster, same offsets) and one that
// relays (RelayTarget: any other Kafka, exact translation). The controller does what both have in common.
// Executor: the Env's. Owner: LinkController. Deadlines are the caller's.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "linker/cluster_identity.h"
#include "proto/control/control.pb.h"
#include "proto/link/client/mirror_client.h"
#include "proto/link/promotion_record.h"
#include "proto/link/stored_link.h"
#include "replicator/replicator.h"

namespace farshore::linker {

namespace api = control::v1;

// The source, as its link knows it.
struct LinkSource {
  ClusterAdmin& cluster;
  MirrorClient& mirrors;  // answers only if it is a Farshore cluster
  bool farshore = false;
};

// A topic at the target that the link fills, or filled.
struct TargetTopic {
  std::string topic, source_topic;
  TargetTopicId id;
  SourceTopicId source_id;
  int32_t partitions = 0;                    // 0: not known without the source
  std::optional<PromotionRecord> promotion;  // it was ended: never filled again
  std::vector<std::string> drift;            // configs that the target refused, with its reasons, in words
};

struct WantedTopic {
  std::string topic;
  TopicInfo source;
  std::map<std::string, std::string> configs;  // those of the source that the link follows
  bool dry_run = false;
};

struct EndOfTopic {
  TargetTopic topic;
  std::vector<replicator::PumpKey> pumps;          // by partition
  std::optional<std::map<int32_t, int64_t>> ends;  // promote: the source's ends, which were reached; none: failover
  bool dry_run = false;
};

struct ConfigPlan {
  std::map<std::string, std::string> wanted;  // what the topic at the target should have set
  std::set<std::string> keep;                 // keys that may stay as they are, although the source sets none
  std::vector<std::string> drift;             // where it differs from the source on purpose, in words
};

class LinkTarget {
 public:
  using Verified = std::function<void(api::VerifyProgress)>;
  virtual ~LinkTarget() = default;

  virtual ClusterAdmin& cluster() = 0;
  virtual replicator::BatchSink& sink() = 0;
  virtual std::string kind() const = 0;  // of cluster: "farshore" or "kafka"
  // kInvalidArgument says why this mode does not work into this cluster, and what does.
  virtual Status fits(const ClusterIdentity& target) const = 0;

  // The topics that an earlier gateway made for this link, ended ones included. Asks only the target.
  virtual Task<Result<std::vector<TargetTopic>>> adopt(Deadline deadline) = 0;
  // Makes the topic, grows it, or finds it as it should be; with `promotion` if it was ended before. Errors that are
  // not retriable: it is refused for good, with the reason. kFenced: a newer gateway has the link.
  virtual Task<Result<TargetTopic>> make(WantedTopic wanted, LinkSource source, Deadline deadline) = 0;
  // From what the link follows of the source's configs to what the target should have. `caught_up`: every partition has
  // been at the source's end since this gateway runs.
  virtual Task<Result<ConfigPlan>> configs(std::string topic, std::map<std::string, std::string> followed,
                                           bool caught_up, Deadline deadline) = 0;
  // Ends the topic: after it nothing of the source can appear there any more. The pumps may be paused by it; whoever
  // asked removes them, or resumes them after an error.
  virtual Task<Result<PromotionRecord>> end(EndOfTopic request, replicator::Replicator& pumps, Deadline deadline) = 0;
  // Where a consumer goes on at the target that would go on at `offset` at the source. nullopt: it is not there yet.
  virtual Task<Result<std::optional<TargetOffset>>> to_target(replicator::PumpKey key, SourceOffset offset) = 0;
  // `mirrored_end`: everything of the source below it is at the target.
  virtual Task<Result<api::TranslateOffsetReply>> translate(TargetTopic topic, api::TranslateOffsetRequest request,
                                                            SourceOffset mirrored_end) = 0;
  virtual Task<Status> verify(TargetTopic topic, int32_t partitions, LinkSource source, Verified verified,
                              Deadline deadline) = 0;
  // The topics of this link that are not at the target any more as the link made them, and what happened, in words:
  // asked with each round of discovery. A target that checks every append by itself answers nothing.
  virtual Task<Result<std::map<std::string, std::string>>> gone(Deadline) {
    co_return std::map<std::string, std::string>();
  }
  // The source deleted what lies below: what was kept about it may go. kFenced: not while it is not relayed here.
  virtual Task<Status> forget_below(replicator::PumpKey, SourceOffset, Deadline) { co_return ok(); }
  // Where `mirrored_end`, an offset of the source, is in offsets of the target. nullopt: not known yet.
  virtual std::optional<TargetOffset> end_at_target(const replicator::PumpKey&, SourceOffset mirrored_end) const {
    return TargetOffset(mirrored_end.value());
  }
  // Connections; the sink is stopped by the replicator.
  virtual void close() = 0;
};

// Puts into the record what this gateway saw of the source, where that is newer than what the target knew of it.
void add_what_was_seen(PromotionRecord& record, const std::vector<replicator::PumpKey>& pumps,
                       const replicator::Replicator& replicator, MonoTime now);

kafka::ClusterOptions data_cluster_options(const std::vector<Endpoint>& bootstrap, const ClusterId& cluster);

}  // namespace farshore::linker
