// MirrorClient: asks a Farshore cluster about topics and mirrors (MirrorControl, proto/link/mirror_control.h). Gateways
// and libfarshore use it. Batches go another way: replicator/mirror_sink.h.
// It sends to any broker and repeats a request while connections fail, until the deadline: every operation may be
// carried out twice. end() and set_fence() are carried out soon or never: before each try the cluster is asked for its
// time, and it refuses a request that it serves more than kRequestLife later. So a request that waited in a queue does
// nothing after its sender has given up. A cluster that was slow to say its time is asked again after a moment, in
// which it is heard whether who asked has left. Executor: the Env's.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "proto/kafka/client/cluster_client.h"
#include "proto/link/promotion_wire.h"
#include "proto/link/write_fence.h"

namespace farshore {

// False: who asked for it has given up. Asked before a request that cannot be undone is sent.
using StillWanted = std::function<bool()>;

class MirrorClient {
 public:
  // How long after its sending a request of end() or set_fence() may still be carried out.
  static constexpr Duration kRequestLife = seconds(10);
  // An answer that took longer than this was not prompt; then a pause of the same length, and another question. Who
  // is slow each time is far away, and not one who was stopped and goes on.
  static constexpr Duration kPrompt = seconds(1);
  static constexpr int kSlowAnswersMax = 3;

  // `cluster` outlives it. A broker gives up a request after `broker_limit`.
  explicit MirrorClient(kafka::ClusterClient& cluster, Duration broker_limit = seconds(20))
      : cluster_(cluster), broker_limit_(broker_limit) {}

  // Errors of all calls: those of mirror_error(), and those of the connection.

  struct ClusterFacts {
    Uuid incarnation;              // of the cluster's metadata: new after it was wiped; zero: an older release
    int64_t producer_id_salt = 0;  // part of every producer id that the cluster gives out
  };
  Task<Result<ClusterFacts>> cluster(Deadline deadline);

  struct NewMirror {
    std::string topic, source_topic;
    ClusterId source_cluster_id;
    SourceTopicId source_topic_id;
    std::vector<ClusterId> provenance;  // the clusters that the source's own records came from
    int32_t partitions = 0;
    std::map<std::string, std::string> configs;
  };
  // Makes the mirror topics, adds partitions to them, or finds them as they should be. In as few requests as keep each
  // of them short; the answers are in the order of `mirrors`, and one that fails keeps nobody from the others.
  Task<std::vector<Result<MirrorTopicAnswer>>> create_all(LinkId link, LinkEpoch epoch, std::vector<NewMirror> mirrors,
                                                          bool dry_run, Deadline deadline);
  // With `ends` (by partition, in offsets of the source): promote, which is refused unless they are reached. Without:
  // failover. If the mirror has ended before, its record is the answer. kClosed: not wanted any more.
  Task<Result<MirrorTopicAnswer>> end(LinkId link, LinkEpoch epoch, TargetTopicId topic,
                                      std::optional<std::map<int32_t, int64_t>> ends, bool dry_run, StillWanted wanted,
                                      Deadline deadline);
  // Any topic of the cluster, by its name, with its partitions 0 to `partitions` - 1.
  Task<Result<MirrorTopicAnswer>> describe(std::string topic, int32_t partitions, Deadline deadline);
  // The same with one partition alone.
  Task<Result<MirrorTopicAnswer>> describe_partition(std::string topic, int32_t partition, Deadline deadline);
  // The same of several topics, by {name, partitions}; each answer has its own error_code, and they are in the order of
  // `topics`. In as many requests as it takes, some at the same time: a broker decodes at most 300,000 elements of one.
  static constexpr size_t kTopicsPerRequest = 200;
  static constexpr int32_t kPartitionsPerRequest = 10'000;
  // Where the requests for `topics` begin, and the end of the last one. Each has at least one topic.
  static std::vector<size_t> cut_describe(const std::vector<std::pair<std::string, int32_t>>& topics);
  Task<Result<std::vector<MirrorTopicAnswer>>> describe_all(std::vector<std::pair<std::string, int32_t>> topics,
                                                            Deadline deadline);
  // All topics of the cluster that are mirrors of `link`, or were. Asks for the cluster's metadata first.
  Task<Result<std::vector<MirrorTopicAnswer>>> mirrors_of(LinkId link, Deadline deadline);
  struct FenceOrder {
    std::string topic;
    LinkId link;
    FenceNumber number;
    bool holds = false;  // raise or renew; or lift
    Duration lasts{-1};  // from when it is served; negative: until it is lifted
  };
  // While a fence holds, clients cannot produce to the topic. When a raise returns, no earlier write is under way.
  // kConflict: a newer order of this link was carried out before. kClosed: not wanted any more.
  Task<Result<MirrorTopicAnswer>> set_fence(FenceOrder order, StillWanted wanted, Deadline deadline);
  // Digests of offsets [from, to) of one partition, cut into at most `ranges`. The partition's answer has its own
  // error_code.
  Task<Result<MirrorTopicAnswer>> digest(std::string topic, int32_t partition, int64_t from, int64_t to, int32_t ranges,
                                         Deadline deadline);

 private:
  using Request = kafka::MirrorControlRequest;
  Request request(MirrorOperation operation) const;
  Task<Result<MirrorTopicAnswer>> ask_one(Request request, Deadline deadline);
  // One request of the two calls for many; its answers go to `out` from `at` on. `failed` ends what is not begun yet.
  Task<void> create_some(Request create, std::vector<Result<MirrorTopicAnswer>>& out, size_t at, Deadline deadline);
  Task<void> describe_some(Request describe, std::vector<MirrorTopicAnswer>& out, size_t at, Status& failed,
                           Deadline deadline);
  // The cluster's clock, when it answers promptly; -1: an older release, which does not tell. kClosed: not wanted.
  Task<Result<int64_t>> prompt_clock(StillWanted wanted, Deadline deadline);
  // ask_one() of a request that is carried out soon or never.
  Task<Result<MirrorTopicAnswer>> ask_soon(Request request, StillWanted wanted, Deadline deadline);

  kafka::ClusterClient& cluster_;
  const Duration broker_limit_;
};

}  // namespace farshore
