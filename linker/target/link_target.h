// LinkTarget: the differences between a link that mirrors (MirrorTarget: a Farshore cluster, same offsets) and one that
// relays (RelayTarget: any other Kafka cluster, exact translation). The common part is in linker/link.
// Executor: the Env's. Owner: Link. Deadlines are the caller's.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "linker/store/link_store.h"
#include "linker/target/cluster_identity.h"
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

// A topic at the target that the link fills, or has filled.
struct TargetTopic {
  std::string topic, source_topic;
  TargetTopicId id;
  SourceTopicId source_id;
  int32_t partitions = 0;                    // 0: only the source knows
  std::optional<PromotionRecord> promotion;  // the topic was ended, and is never filled again
  std::vector<std::string> drift;            // configs that the target refused, with its reasons
  // Why the target can have no such topic, whoever repairs what; then nothing was made. Empty: it can.
  std::string left_out;
};

// The topic that cannot be made, if the target refuses its name; nullopt: the error is another one.
std::optional<TargetTopic> left_out_for_its_name(const std::string& topic, const Error& refused);

struct WantedTopic {
  std::string topic;
  TopicInfo source;
  std::map<std::string, std::string> configs;  // of the source, as far as the link follows them
  bool dry_run = false;
  // Nothing is copied into the topic now. If the target does not have it any more, it is made again, and what was
  // copied before is forgotten. Otherwise a topic that is gone is an error.
  bool start_over = false;
};

struct EndOfTopic {
  TargetTopic topic;
  std::vector<LinkPartition> pumps;                // by partition
  std::optional<std::map<int32_t, int64_t>> ends;  // promotion: the source's end offsets, reached; none: failover
  bool dry_run = false;
  StillWanted wanted;  // asked before something is done that cannot be undone; null: always
};

struct ConfigPlan {
  std::map<std::string, std::string> wanted;  // to be set on the topic at the target
  std::set<std::string> keep;                 // may stay set, although the source does not set them
  std::vector<std::string> drift;             // where the target differs from the source on purpose
};

class LinkTarget {
 public:
  using Verified = std::function<void(api::VerifyProgress)>;
  virtual ~LinkTarget() = default;

  virtual ClusterAdmin& cluster() = 0;
  virtual replicator::BatchSink& sink() = 0;
  // Where the link keeps its records, if the target compares each write there with the stored link. Null: the backend's
  // store, which has a fence of its own.
  virtual LinkStore* own_store() { return nullptr; }
  virtual std::string kind() const = 0;  // of cluster: "farshore" or "kafka"
  // kInvalidArgument: this mode does not work into this cluster; says which one does.
  virtual Status fits(const ClusterIdentity& target) const = 0;

  // The topics that an earlier gateway made for this link, ended ones included. Asks only the target.
  virtual Task<Result<std::vector<TargetTopic>>> adopt(Deadline deadline) = 0;
  // Makes the topic, adds partitions to it, or finds it as it should be; with `promotion` if it was ended before. An
  // error that is not retriable: the topic is refused for good, with the reason. kFenced: a newer gateway has the link.
  virtual Task<Result<TargetTopic>> make(WantedTopic wanted, LinkSource source, Deadline deadline) = 0;
  // The same for many topics, in the order of `wanted`: side by side, or with one request for many. `dry_run` of all of
  // them is that of the first. What fails keeps nobody from the others.
  virtual Task<std::vector<Result<TargetTopic>>> make_all(std::vector<WantedTopic> wanted, LinkSource source,
                                                          Deadline deadline);
  // Which configs the topic at the target should have. `followed`: the source's configs that the link follows.
  // `caught_up`: every partition has reached the source's end at least once since this gateway runs.
  virtual Task<Result<ConfigPlan>> configs(std::string topic, std::map<std::string, std::string> followed,
                                           bool caught_up, Deadline deadline) = 0;
  // Ends the topic: from then on no record of the source can appear in it. May pause the pumps; the caller removes
  // them, or resumes them after an error.
  virtual Task<Result<PromotionRecord>> end(EndOfTopic request, replicator::Replicator& pumps, Deadline deadline) = 0;
  // The target offset at which a consumer continues whose next offset at the source is `offset`. nullopt: not there
  // yet.
  virtual Task<Result<std::optional<TargetOffset>>> to_target(LinkPartition key, SourceOffset offset) = 0;
  // `mirrored_end`: all records of the source below it are at the target.
  virtual Task<Result<api::TranslateOffsetReply>> translate(TargetTopic topic, api::TranslateOffsetRequest request,
                                                            SourceOffset mirrored_end) = 0;
  virtual Task<Status> verify(TargetTopic topic, int32_t partitions, LinkSource source, Verified verified,
                              Deadline deadline) = 0;
  // The topics of this link that are not at the target any more as the link made them, with the reason. Asked in each
  // round of discovery.
  virtual Task<Result<std::map<std::string, std::string>>> gone(Deadline) {
    co_return std::map<std::string, std::string>();
  }
  // The source has deleted its records below `log_start`: data kept about them may go. kFenced: the partition is not
  // relayed by this gateway now.
  virtual Task<Status> forget_below(LinkPartition, SourceOffset, Deadline) { co_return ok(); }
  // The target offset that belongs to the source offset `mirrored_end`. nullopt: not known yet.
  virtual std::optional<TargetOffset> end_at_target(const LinkPartition&, SourceOffset mirrored_end) const {
    return TargetOffset(mirrored_end.value());
  }
  // An operator gives up the source offsets before `to` that are not known to be at the target: the partition, which
  // has FAILED with `why`, goes on at `to` when its pump is restarted. Recorded at the target for ever, and shown with
  // the topic's drift. kInvalidArgument: `to` is below what is known to be at the target.
  virtual Task<Status> give_up(TargetTopic, int32_t, SourceOffset, std::string, Deadline) {
    co_return Error(ErrorCode::kUnsupported,
                    "--go-on-at is for relays: a mirror goes on where its log at the target ends");
  }
  // Closes connections. The replicator stops the sink.
  virtual void close() = 0;
};

// Adds the source's state to the record, as this gateway saw it last, where that is newer than the target's values. Of
// a partition that this gateway never heard of, and of which the target knows no loss, the loss is unknown.
void add_what_was_seen(PromotionRecord& record, const std::vector<LinkPartition>& pumps,
                       const replicator::Replicator& replicator, MonoTime now);

kafka::ClusterOptions data_cluster_options(const std::vector<Endpoint>& bootstrap, const ClusterId& cluster,
                                           kafka::ClientOptions client = {});

}  // namespace farshore::linker
