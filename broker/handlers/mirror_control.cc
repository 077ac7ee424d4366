// MirrorControl 1 (private): everything about mirror partitions that is not an append. Operations: see the schema.
#include "proto/kafka/messages/mirror_control.h"

#include "broker/metadata/producer_ids.h"
#include "broker/metadata/topic_config.h"
#include "broker/metadata/topics.h"
#include "broker/mirror/digest.h"
#include "broker/mirror/promotion.h"
#include "broker/mirror/targets.h"
#include "broker/net/api.h"
#include "broker/net/request_metrics.h"
#include "broker/partitions/partition_lookup.h"
#include "proto/link/promotion_wire.h"

namespace farshore::broker {
namespace {

using Code = kafka::ErrorCode;
using Request = kafka::MirrorControlRequest;
using Response = kafka::MirrorControlResponse;
using TopicRequest = Request::MirrorControlTopic;
using TopicResult = Response::MirrorControlTopicResult;
using PartitionRequest = Request::MirrorControlPartition;
using PartitionResult = Response::MirrorControlPartitionResult;
using enum MirrorOperation;

constexpr Duration kLimitMax = minutes(2);
constexpr int kDigestRangesMax = 1024;

bool is(const Request& request, MirrorOperation operation) { return request.op == wire_value(operation); }

template <class To>
void set(To& to, MirrorProblem problem, Services& services) {
  if (!problem) return;
  services.metrics.error(problem.code);
  to.error_code = static_cast<int16_t>(problem.code);
  to.error_message = std::move(problem.message);
}

void describe_partition(Services& services, const TopicImage& topic, Partition& partition, PartitionResult& to) {
  const LogEnds ends = partition.ends();
  const auto target = services.mirrors.target(topic.id, partition.partition());
  to.partition = partition.partition();
  to.end_offset = ends.end.value();
  to.high_watermark = ends.high_watermark.value();
  to.log_start_offset = ends.log_start.value();
  to.last_stable_offset = ends.last_stable.value();
  to.last_epoch = partition.log().last_epoch().value();
  to.leadership_epoch = partition.leadership_epoch().value();
  to.read_only = topic.read_only;
  to.source_high_watermark = target->source.high_watermark.value();
  to.source_log_start = target->source.log_start.value();
  to.source_leader_epoch = target->source.leader_epoch.value();
  to.source_seen_ms = target->source.at.milliseconds_since_epoch;
}

void describe_promotion(const TopicImage& topic, PartitionResult& to) {
  if (topic.mirror && topic.mirror->promotion) put_promotion(*topic.mirror->promotion, to);
}

void describe_topic(const TopicImage& topic, TopicResult& to) {
  to.topic_id = topic.id;
  to.name = topic.name;
  if (!topic.mirror) return;
  const MirrorImage& mirror = *topic.mirror;
  // Ended from step 1 on: nothing undoes it, even if clients cannot write yet.
  to.mirror_state = wire_value(mirror.ended() ? role_after(mirror.promotion->kind) : MirrorRole::kMirror);
  to.link_id = mirror.link.value();
  to.link_epoch = mirror.link_epoch.value();
  to.source_cluster_id = mirror.source_cluster_id.value();
  to.source_topic = mirror.source_topic_name;
  to.source_topic_id = mirror.source_topic.value();
  for (const auto& cluster : mirror.provenance) to.source_provenance.push_back(cluster.value());
}

// --- one partition

Task<MirrorProblem> open_one(Services& services, const Request& request, PartitionPtr partition, PartitionResult& to) {
  auto target = services.mirrors.target(partition->topic_id(), partition->partition());
  auto guard = co_await target->lock.lock();
  if (target->ended) co_return MirrorProblem{Code::kPolicyViolation, "the mirror has ended"};
  to.pump_session = services.mirrors.open(*target, LinkEpoch(request.link_epoch)).value();
  co_return MirrorProblem{};
}

Task<MirrorProblem> truncate_one(Services& services, const PartitionRequest& from, PartitionPtr partition,
                                 PartitionResult& to) {
  auto target = services.mirrors.target(partition->topic_id(), partition->partition());
  auto guard = co_await target->lock.lock();
  if (!target->holds(PumpSession(from.pump_session)))
    co_return MirrorProblem{Code::kFencedLeaderEpoch, "the session is not the one that is open: open a new one"};
  Log& log = partition->log();
  const Offset end = log.ends().end;
  // The common point: where the epoch ends there, or here, whichever comes first (KIP-101, KIP-279).
  Offset keep = std::min(Offset(from.offset), end);
  if (EpochEnd here = log.epoch_end(LogEpoch(from.epoch)); here.end >= Offset(0)) keep = std::min(keep, here.end);
  auto cut = co_await log.truncate_to(keep, /*below_high_watermark=*/true);  // also at the end: empty epochs go
  if (!cut) co_return mirror_problem(cut.error());
  if (keep < end) {
    to.removed_from = keep.value();
    to.removed_to = end.value();
    partition->changed();
    services.env.log().warn("mirror truncated: the source has another history", {{"topic", partition->topic()},
                                                                                 {"partition", partition->partition()},
                                                                                 {"from", keep},
                                                                                 {"to", end},
                                                                                 {"source_epoch", from.epoch}});
  }
  to.pump_session = target->session.value();
  co_return MirrorProblem{};
}

Task<MirrorProblem> advance_one(Services& services, const PartitionRequest& from, PartitionPtr partition) {
  auto target = services.mirrors.target(partition->topic_id(), partition->partition());
  auto guard = co_await target->lock.lock();
  if (!target->holds(PumpSession(from.pump_session)))
    co_return MirrorProblem{Code::kFencedLeaderEpoch, "the session is not the one that is open: open a new one"};
  Log& log = partition->log();
  Status moved;
  if (Offset(from.offset) > log.ends().end)
    moved = co_await log.reset_to(Offset(from.offset));  // the source deleted what was not mirrored yet
  else
    moved = co_await log.advance_log_start(Offset(from.offset));
  if (!moved) co_return mirror_problem(moved.error());
  partition->changed();
  co_return MirrorProblem{};
}

Task<MirrorProblem> digest_one(const PartitionRequest& from, PartitionPtr partition, PartitionResult& to) {
  const int ranges = std::clamp(from.digest_ranges, 1, kDigestRangesMax);
  const Offset end = from.end_offset < 0 ? partition->ends().high_watermark : Offset(from.end_offset);
  auto digests = co_await digest_ranges(partition->log(), Offset(std::max<int64_t>(from.offset, 0)), end, ranges);
  if (!digests) co_return mirror_problem(digests.error());
  for (auto& range : *digests) {
    auto& out = to.digests.emplace_back();
    out.offset = range.from.value();
    out.end_offset = range.to.value();
    out.batches = range.batches;
    out.digest = std::move(range.digest);
  }
  co_return MirrorProblem{};
}

// --- one topic

Task<MirrorProblem> take_link_epoch(Services& services, const TopicImage& topic, LinkEpoch epoch, Deadline deadline) {
  if (epoch <= topic.mirror->link_epoch) co_return MirrorProblem{};
  MetadataManager::TopicEdit edit = [epoch](TopicImage& image) -> Status {
    if (!image.mirror || image.mirror->ended()) return Error(ErrorCode::kConflict, "the topic is no mirror any more");
    if (image.mirror->link_epoch > epoch) return Error(ErrorCode::kFenced, "a newer gateway has the link");
    image.mirror->link_epoch = epoch;
    return ok();
  };
  auto changed = co_await services.metadata.update_topic(topic.id, std::move(edit), deadline);
  if (changed) co_return MirrorProblem{};
  if (changed.error() == ErrorCode::kFenced)
    co_return MirrorProblem{Code::kProducerFenced, changed.error().to_string()};
  co_return mirror_problem(changed.error());
}

Task<void> partitions_of(RequestContext& context, const Request& request, const TopicRequest& from, TopicResult& to,
                         const TopicImage& topic) {
  Services& services = context.services;
  for (const auto& asked : from.partitions) {
    PartitionResult result;
    result.partition = asked.partition;
    auto found = find_partition(services, topic.id, asked.partition);
    MirrorProblem problem{found.error, {}};
    if (found.partition) {
      if (is(request, kOpen)) problem = co_await open_one(services, request, found.partition, result);
      if (is(request, kTruncate)) problem = co_await truncate_one(services, asked, found.partition, result);
      if (is(request, kAdvanceLogStart)) problem = co_await advance_one(services, asked, found.partition);
      if (is(request, kDigest)) problem = co_await digest_one(asked, found.partition, result);
      describe_partition(services, topic, *found.partition, result);
      if (is(request, kDescribe)) describe_promotion(topic, result);
    }
    set(result, std::move(problem), services);
    to.partitions.push_back(std::move(result));
  }
}

void describe_end(Services& services, const TopicImage& topic, TopicResult& to) {
  describe_topic(topic, to);
  for (const auto& image : topic.partitions) {
    PartitionResult result;
    if (auto partition = services.partitions.find(topic.id, image.partition))
      describe_partition(services, topic, **partition, result);
    result.partition = image.partition;
    describe_promotion(topic, result);
    to.partitions.push_back(std::move(result));
  }
}

Task<void> end_topic(RequestContext& context, const Request& request, const TopicRequest& from, TopicResult& to,
                     TopicPtr topic, Deadline deadline) {
  Services& services = context.services;
  PromotionPlan plan;
  plan.kind = is(request, kPromote) ? PromotionKind::kPromote : PromotionKind::kFailover;
  plan.dry_run = request.dry_run;
  plan.ends.resize(topic->partitions.size());
  if (is(request, kPromote))
    for (const auto& asked : from.partitions)
      if (asked.partition >= 0 && static_cast<size_t>(asked.partition) < plan.ends.size())
        plan.ends[static_cast<size_t>(asked.partition)] = Offset(asked.end_offset);
  PromotionOutcome outcome = co_await end_mirror(services, topic, std::move(plan), deadline);
  if (outcome.topic) describe_end(services, *outcome.topic, to);
  set(to, std::move(outcome.problem), services);
}

// Asked again after the answer was lost: the record stands.
Task<void> end_again(Services& services, TopicPtr topic, TopicResult& to, Deadline deadline) {
  auto finished = co_await finish_promotion(services, topic, deadline);
  if (finished)
    topic = *finished;
  else
    set(to, mirror_problem(finished.error()), services);
  describe_end(services, *topic, to);
}

Task<MirrorProblem> set_read_only(Services& services, const TopicRequest& from, TopicPtr& topic, Deadline deadline) {
  const bool read_only = !from.partitions.empty() && from.partitions.front().read_only;
  MetadataManager::TopicEdit edit = [read_only](TopicImage& image) -> Status {
    image.read_only = read_only;
    return ok();
  };
  auto changed = co_await services.metadata.update_topic(topic->id, std::move(edit), deadline);
  if (!changed) co_return mirror_problem(changed.error());
  topic = *changed;
  auto applied = co_await services.partitions.wait_for(services.metadata.image()->revision, deadline);
  if (!applied) co_return mirror_problem(applied.error());
  if (!read_only) co_return MirrorProblem{};
  // Writes that passed their check a moment before are still acknowledged: whoever asked for the fence reads the ends
  // next, and must find them in there.
  for (size_t p = 0; p < topic->partitions.size(); ++p) {
    auto found = find_partition(services, topic->id, static_cast<int32_t>(p));
    if (!found.partition) co_return MirrorProblem{found.error, "partition " + std::to_string(p)};
    auto settled = co_await found.partition->settle(deadline);
    if (!settled) co_return mirror_problem(settled.error());
  }
  co_return MirrorProblem{};
}

Task<MirrorProblem> create(Services& services, const Request& request, const TopicRequest& from, TopicPtr& topic,
                           Deadline deadline) {
  if (!from.name || !from.source_cluster_id || !from.source_topic || from.num_partitions < 1)
    co_return MirrorProblem{Code::kInvalidRequest, "a mirror needs a name, its source, and a number of partitions"};
  ImagePtr image = services.metadata.image();
  if (*from.source_cluster_id == image->cluster_id)
    co_return MirrorProblem{Code::kInvalidRequest, "the source is this very cluster (" + image->cluster_id + ")"};
  for (const auto& cluster : from.source_provenance)
    if (cluster == image->cluster_id)
      co_return MirrorProblem{
          Code::kInvalidRequest,
          "the data of " + *from.source_topic + " comes from this very cluster: mirroring it back would be a cycle"};
  if (const TopicImage* there = image->topic(*from.name)) {
    topic = image->topics.at(*from.name);
    if (!there->mirror)
      co_return MirrorProblem{
          Code::kTopicAlreadyExists,
          "topic " + *from.name + " exists at the target and is no mirror: delete it, or use a prefix"};
    const MirrorImage& mirror = *there->mirror;
    if (mirror.link != LinkId(request.link_id))
      co_return MirrorProblem{Code::kPolicyViolation,
                              "topic " + *from.name + " belongs to another link (" + mirror.link.to_string() + ")"};
    if (mirror.writable())
      co_return MirrorProblem{Code::kPolicyViolation,
                              "topic " + *from.name + " was promoted: it is no mirror any more"};
    if (mirror.ended())  // for a moment: ask again
      co_return MirrorProblem{Code::kLeaderNotAvailable, "topic " + *from.name + " is being promoted"};
    if (mirror.source_cluster_id.value() != *from.source_cluster_id ||
        mirror.source_topic != SourceTopicId(from.source_topic_id))
      co_return MirrorProblem{Code::kInconsistentTopicId, "topic " + *from.name + " mirrors another topic (" +
                                                              mirror.source_topic.to_string() +
                                                              "): the source's was deleted and made anew"};
    if (static_cast<size_t>(from.num_partitions) <= there->partitions.size() || request.dry_run)
      co_return MirrorProblem{};
    auto grown = co_await services.metadata.create_partitions(there->id, from.num_partitions, deadline);
    if (!grown) co_return mirror_problem(grown.error());
    topic = *grown;
    auto applied = co_await services.partitions.wait_for(services.metadata.image()->revision, deadline);
    if (!applied) co_return mirror_problem(applied.error());
    co_return MirrorProblem{};
  }
  NewTopic wanted;
  wanted.name = *from.name;
  wanted.partitions = from.num_partitions;
  for (const auto& config : from.configs)
    if (config.value && check_topic_config(config.name, *config.value)) wanted.configs[config.name] = *config.value;
  MirrorImage mirror;
  mirror.link = LinkId(request.link_id);
  mirror.link_epoch = LinkEpoch(request.link_epoch);
  mirror.source_cluster_id = ClusterId(*from.source_cluster_id);
  mirror.source_topic_name = *from.source_topic;
  mirror.source_topic = SourceTopicId(from.source_topic_id);
  for (const auto& cluster : from.source_provenance) mirror.provenance.emplace_back(cluster);
  mirror.provenance.push_back(mirror.source_cluster_id);
  wanted.mirror = std::move(mirror);
  if (request.dry_run) co_return check_new_topic(services, wanted);
  CreatedTopic created = co_await create_topic(services, std::move(wanted), deadline);
  topic = created.topic;
  co_return std::move(created.problem);
}

// What may be asked of any topic of this cluster, mirror or not.
bool any_topic(const Request& request) {
  return is(request, kDigest) || is(request, kSetReadOnly) || is(request, kDescribe);
}

Task<void> one_topic(RequestContext& context, const Request& request, const TopicRequest& from, TopicResult& to,
                     Deadline deadline) {
  Services& services = context.services;
  TopicPtr topic;
  MirrorProblem problem;
  if (is(request, kCreateTopic)) {
    problem = co_await create(services, request, from, topic, deadline);
    if (topic) describe_topic(*topic, to);
    set(to, std::move(problem), services);
    co_return;
  }
  ImagePtr image = services.metadata.image();
  const TopicImage* named =
      from.topic_id.is_zero() && from.name ? image->topic(*from.name) : image->topic(from.topic_id);
  if (!named) {
    to.topic_id = from.topic_id;
    to.name = from.name;
    problem = {from.topic_id.is_zero() ? Code::kUnknownTopicOrPartition : Code::kUnknownTopicId,
               "there is no such topic"};
    set(to, std::move(problem), services);
    co_return;
  }
  topic = image->topics.at(named->name);
  if (!any_topic(request)) {
    const bool ended = topic->mirror && topic->mirror->link == LinkId(request.link_id) && topic->mirror->ended();
    if (ended && (is(request, kPromote) || is(request, kFailover)))
      co_return co_await end_again(services, topic, to, deadline);
    problem = services.mirrors.find(topic->id, LinkId(request.link_id), LinkEpoch(request.link_epoch)).problem;
    if (!problem && !from.source_topic_id.is_zero() &&
        SourceTopicId(from.source_topic_id) != topic->mirror->source_topic)
      problem = {Code::kInconsistentTopicId, "topic " + topic->name + " mirrors source topic " +
                                                 topic->mirror->source_topic.to_string() + ", not " +
                                                 from.source_topic_id.to_string()};
    if (!problem && !request.dry_run)
      problem = co_await take_link_epoch(services, *topic, LinkEpoch(request.link_epoch), deadline);
  }
  if (!problem && is(request, kSetReadOnly) && !request.dry_run)
    problem = co_await set_read_only(services, from, topic, deadline);
  describe_topic(*topic, to);
  if (problem) {
    set(to, std::move(problem), services);
    co_return;
  }
  if (is(request, kPromote) || is(request, kFailover))
    co_await end_topic(context, request, from, to, topic, deadline);
  else
    co_await partitions_of(context, request, from, to, *topic);
}

}  // namespace

Task<Result<Response>> handle_mirror_control(RequestContext& context, Request request) {
  Services& services = context.services;
  const Deadline deadline =
      services.env.in(std::clamp<Duration>(milliseconds(request.timeout_ms), milliseconds(1), kLimitMax));
  Response response;
  response.incarnation = services.metadata.image()->incarnation;
  if (!parse_mirror_operation(request.op)) {
    response.error_code = static_cast<int16_t>(Code::kInvalidRequest);
    response.error_message = "operation " + std::to_string(request.op) + " is none";
    co_return response;
  }
  response.producer_id_salt = static_cast<int32_t>(services.producer_ids.salt());
  response.topics.reserve(request.topics.size());
  for (const auto& from : request.topics) {
    auto& to = response.topics.emplace_back();
    co_await one_topic(context, request, from, to, deadline);
  }
  co_return response;
}

ApiEntry mirror_control_api() {
  return api<handle_mirror_control>(Request::kMinVersion, Request::kMaxVersion, "MirrorControl");
}

}  // namespace farshore::broker
