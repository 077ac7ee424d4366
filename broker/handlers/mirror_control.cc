// MirrorControl 1 to 4 (private): everything about mirror partitions that is not an append. Operations: see the
// schema. This file decodes, dispatches to broker/mirror, and describes the result.
#include "proto/kafka/messages/mirror_control.h"

#include <algorithm>
#include <utility>

#include "broker/handlers/internal/entries.h"
#include "broker/handlers/services.h"
#include "broker/metadata/producer_ids.h"
#include "broker/mirror/digest.h"
#include "broker/mirror/link_fences.h"
#include "broker/mirror/mirror_targets.h"
#include "broker/mirror/mirror_topics.h"
#include "broker/mirror/promotions.h"
#include "broker/mirror/topic_fences.h"
#include "broker/net/api.h"
#include "broker/net/request_metrics.h"
#include "broker/partitions/partition_lookup.h"
#include "proto/link/mirror_control.h"
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

Refusal refuse(Code code, std::string message) { return {code, std::move(message)}; }

void describe_promotion(const TopicImage& topic, PartitionResult& to) {
  const PromotionRecord* end = topic.mirror ? topic.mirror->promotion() : nullptr;
  if (end) put_promotion(*end, to);
}

void describe_topic(const TopicImage& topic, TopicResult& to) {
  to.topic_id = topic.id;
  to.name = topic.name;
  for (const auto& fence : topic.fences) {
    if (!fence.holds()) continue;
    auto& out = to.fences.emplace_back();
    out.link_id = fence.link.value();
    out.link_epoch = fence.number.epoch.value();
    out.attempt = fence.number.attempt;
    out.until_ms = fence.until_ms;
  }
  if (topic.read_only) {  // of nobody
    auto& out = to.fences.emplace_back();
    out.attempt = -1;
    out.until_ms = kFenceForever;
  }
  if (!topic.mirror) return;
  const MirrorImage& mirror = *topic.mirror;
  // Ended from step 1 on: nothing undoes it, even if clients cannot write yet.
  to.mirror_state = wire_value(mirror.ended() ? role_after(mirror.promotion()->kind) : MirrorRole::kMirror);
  to.link_id = mirror.link.value();
  to.link_epoch = mirror.link_epoch.value();
  to.source_cluster_id = mirror.source_cluster_id.value();
  to.source_topic = mirror.source_topic_name;
  to.source_topic_id = mirror.source_topic.value();
  for (const auto& cluster : mirror.provenance) to.source_provenance.push_back(cluster.value());
}

void describe_digests(std::vector<RangeDigest> digests, PartitionResult& to) {
  for (auto& range : digests) {
    auto& out = to.digests.emplace_back();
    out.offset = range.from.value();
    out.end_offset = range.to.value();
    out.batches = range.batches;
    out.digest = std::move(range.digest);
  }
}

MirrorTopics::NewMirror new_mirror(const Request& request, const TopicRequest& from) {
  MirrorTopics::NewMirror wanted;
  wanted.name = *from.name;
  wanted.partitions = from.num_partitions;
  for (const auto& config : from.configs)
    if (config.value) wanted.configs[config.name] = *config.value;
  wanted.mirror.link = LinkId(request.link_id);
  wanted.mirror.link_epoch = LinkEpoch(request.link_epoch);
  wanted.mirror.source_cluster_id = ClusterId(*from.source_cluster_id);
  wanted.mirror.source_topic_name = *from.source_topic;
  wanted.mirror.source_topic = SourceTopicId(from.source_topic_id);
  for (const auto& cluster : from.source_provenance) wanted.mirror.provenance.emplace_back(cluster);
  wanted.dry_run = request.dry_run;
  return wanted;
}

TopicFences::Change fence_change(const Request& request, const TopicRequest& from) {
  TopicFences::Change change;
  change.holds = !from.partitions.empty() && from.partitions.front().read_only;
  change.nobody = from.fence_attempt < 0;
  change.fence.link = LinkId(request.link_id);
  change.fence.number = {LinkEpoch(request.link_epoch), from.fence_attempt};
  if (from.fence_ms >= 0) change.lasts = milliseconds(from.fence_ms);
  change.valid_until = WallTime{request.valid_until_ms};
  return change;
}

// One request. Topics are served one after the other, and a refusal of one does not touch the others.
class MirrorControl {
 public:
  MirrorControl(Services& services, const Request& request, MirrorOperation operation, Deadline deadline)
      : services_(services), request_(request), operation_(operation), deadline_(deadline) {}

  // Holds off other gateways while this request writes for its link; refused if one of them has the link already.
  Task<LinkFences::Entered> enter(std::string client_id);
  Task<void> serve(const TopicRequest& from, TopicResult& to);
  void refuse_topic(const TopicRequest& from, TopicResult& to, Refusal refusal);

 private:
  bool is(MirrorOperation operation) const { return operation_ == operation; }
  bool ends_mirror() const { return is(kPromote) || is(kFailover); }
  // May be asked of any topic of this cluster, mirror or not.
  bool any_topic() const { return is(kDigest) || is(kSetReadOnly) || is(kDescribe); }

  TopicPtr find(const TopicRequest& from) const;
  Task<Refusal> check_link(TopicPtr topic, const TopicRequest& from);
  Task<void> create(const TopicRequest& from, TopicResult& to);
  Task<void> end(TopicPtr topic, const TopicRequest& from, TopicResult& to);
  Task<void> end_again(TopicPtr topic, TopicResult& to);
  Task<void> serve_partitions(TopicPtr topic, const TopicRequest& from, TopicResult& to);
  Task<Refusal> serve_partition(PartitionPtr partition, const PartitionRequest& from, PartitionResult& to);
  Task<Refusal> digest(PartitionPtr partition, const PartitionRequest& from, PartitionResult& to);

  void describe_partition(const TopicImage& topic, Partition& partition, PartitionResult& to);
  void describe_end(const TopicImage& topic, TopicResult& to);
  template <class To>
  void set(To& to, Refusal refusal) {
    if (!refusal) return;
    services_.metrics.error(refusal.code);
    to.error_code = static_cast<int16_t>(refusal.code);
    to.error_message = std::move(refusal.message);
  }

  Services& services_;
  const Request& request_;
  const MirrorOperation operation_;
  const Deadline deadline_;
};

// --- the link

Task<LinkFences::Entered> MirrorControl::enter(std::string client_id) {
  if (any_topic() || request_.dry_run) co_return LinkFences::Entered();
  const LinkWriter writer{LinkId(request_.link_id), LinkEpoch(request_.link_epoch)};
  // The link of a gateway is stored. A mirror whose link was deleted may be ended by anybody.
  if (parse_link_writer(client_id)) co_return co_await services_.link_fences.write(writer, deadline_);
  co_return co_await services_.link_fences.write_if_stored(writer, deadline_);
}

void MirrorControl::refuse_topic(const TopicRequest& from, TopicResult& to, Refusal refusal) {
  to.topic_id = from.topic_id;
  to.name = from.name;
  set(to, std::move(refusal));
}

// --- one topic

TopicPtr MirrorControl::find(const TopicRequest& from) const {
  ImagePtr image = services_.metadata.image();
  const TopicImage* named =
      from.topic_id.is_zero() && from.name ? image->topic(*from.name) : image->topic(from.topic_id);
  return named ? image->topics.at(named->name) : nullptr;
}

Task<Refusal> MirrorControl::check_link(TopicPtr topic, const TopicRequest& from) {
  const LinkEpoch epoch(request_.link_epoch);
  Refusal refusal = services_.mirror_topics.find(topic->id, LinkId(request_.link_id), epoch).refusal;
  if (refusal) co_return refusal;
  const SourceTopicId source = topic->mirror->source_topic;
  if (!from.source_topic_id.is_zero() && SourceTopicId(from.source_topic_id) != source)
    co_return refuse(Code::kInconsistentTopicId, "topic " + topic->name + " mirrors source topic " +
                                                     source.to_string() + ", not " + from.source_topic_id.to_string());
  if (request_.dry_run) co_return Refusal{};
  co_return co_await services_.mirror_topics.take_link_epoch(topic, epoch, deadline_);
}

Task<void> MirrorControl::serve(const TopicRequest& from, TopicResult& to) {
  if (is(kCreateTopic)) co_return co_await create(from, to);
  TopicPtr topic = find(from);
  if (!topic) {
    const Code code = from.topic_id.is_zero() ? Code::kUnknownTopicOrPartition : Code::kUnknownTopicId;
    co_return refuse_topic(from, to, refuse(code, "there is no such topic"));
  }
  const bool ended = topic->mirror && topic->mirror->link == LinkId(request_.link_id) && topic->mirror->ended();
  if (ended && ends_mirror()) co_return co_await end_again(topic, to);
  Refusal refusal;
  if (!any_topic()) refusal = co_await check_link(topic, from);
  if (is(kSetReadOnly) && !request_.dry_run) {
    TopicFences::Answer fenced = co_await services_.topic_fences.change(topic, fence_change(request_, from), deadline_);
    topic = fenced.topic;
    refusal = std::move(fenced.refusal);
  }
  describe_topic(*topic, to);
  if (refusal) co_return set(to, std::move(refusal));
  if (ends_mirror())
    co_await end(topic, from, to);
  else
    co_await serve_partitions(topic, from, to);
}

Task<void> MirrorControl::create(const TopicRequest& from, TopicResult& to) {
  if (!from.name || !from.source_cluster_id || !from.source_topic || from.num_partitions < 1)
    co_return set(to, refuse(Code::kInvalidRequest, "a mirror needs a name, its source, and a number of partitions"));
  MirrorTopics::NewMirror wanted = new_mirror(request_, from);
  MirrorTopics::Answer created = co_await services_.mirror_topics.create(std::move(wanted), deadline_);
  if (created.topic) describe_topic(*created.topic, to);
  set(to, std::move(created.refusal));
}

Task<void> MirrorControl::end(TopicPtr topic, const TopicRequest& from, TopicResult& to) {
  PromotionPlan plan;
  plan.kind = is(kPromote) ? PromotionKind::kPromote : PromotionKind::kFailover;
  plan.dry_run = request_.dry_run;
  plan.valid_until = WallTime{request_.valid_until_ms};
  plan.ends.resize(topic->partitions.size());
  if (is(kPromote))
    for (const auto& asked : from.partitions)
      if (asked.partition >= 0 && static_cast<size_t>(asked.partition) < plan.ends.size())
        plan.ends[static_cast<size_t>(asked.partition)] = Offset(asked.end_offset);
  PromotionOutcome outcome = co_await services_.promotions.end(topic, std::move(plan), deadline_);
  if (outcome.topic) describe_end(*outcome.topic, to);
  set(to, std::move(outcome.refusal));
}

// Asked again after the answer was lost: the record stands.
Task<void> MirrorControl::end_again(TopicPtr topic, TopicResult& to) {
  auto finished = co_await services_.promotions.finish(topic, deadline_);
  if (finished)
    topic = *finished;
  else
    set(to, refusal_of(finished.error()));
  describe_end(*topic, to);
}

void MirrorControl::describe_end(const TopicImage& topic, TopicResult& to) {
  describe_topic(topic, to);
  for (const auto& image : topic.partitions) {
    PartitionResult result;
    if (auto partition = services_.partitions.find(topic.id, image.partition))
      describe_partition(topic, **partition, result);
    result.partition = image.partition;
    describe_promotion(topic, result);
    to.partitions.push_back(std::move(result));
  }
}

// --- one partition

Task<void> MirrorControl::serve_partitions(TopicPtr topic, const TopicRequest& from, TopicResult& to) {
  for (const auto& asked : from.partitions) {
    PartitionResult result;
    result.partition = asked.partition;
    auto found = find_partition(services_.partitions, *services_.metadata.image(), topic->id, asked.partition);
    Refusal refusal = found.refusal();
    if (found.partition) {
      refusal = co_await serve_partition(found.partition, asked, result);
      describe_partition(*topic, *found.partition, result);
    }
    if (is(kDescribe)) describe_promotion(*topic, result);  // of an offline partition too
    set(result, std::move(refusal));
    to.partitions.push_back(std::move(result));
  }
}

Task<Refusal> MirrorControl::serve_partition(PartitionPtr partition, const PartitionRequest& from,
                                             PartitionResult& to) {
  MirrorTargets& targets = services_.mirror_targets;
  const PumpSession session(from.pump_session);
  switch (operation_) {
    case kOpen: {
      MirrorTargets::Opened opened = co_await targets.open(partition, LinkEpoch(request_.link_epoch), deadline_);
      if (!opened.refusal) to.pump_session = opened.session.value();
      co_return std::move(opened.refusal);
    }
    case kTruncate: {
      MirrorTargets::Truncated cut =
          co_await targets.truncate(partition, session, LogEpoch(from.epoch), Offset(from.offset), deadline_);
      if (cut.to >= Offset(0)) {
        to.removed_from = cut.from.value();
        to.removed_to = cut.to.value();
      }
      if (!cut.refusal) to.pump_session = session.value();
      co_return std::move(cut.refusal);
    }
    case kAdvanceLogStart:
      co_return co_await targets.advance_log_start(partition, session, Offset(from.offset), deadline_);
    case kDigest:
      co_return co_await digest(partition, from, to);
    default:
      co_return Refusal{};  // described only
  }
}

Task<Refusal> MirrorControl::digest(PartitionPtr partition, const PartitionRequest& from, PartitionResult& to) {
  const int ranges = std::clamp(from.digest_ranges, 1, kDigestRangesMax);
  const Offset end = from.end_offset < 0 ? partition->ends().high_watermark : Offset(from.end_offset);
  const Offset begin(std::max<int64_t>(from.offset, 0));
  auto digests = co_await digest_ranges(services_.env, partition->log(), begin, end, ranges, deadline_);
  if (!digests) co_return refusal_of(digests.error());
  describe_digests(std::move(*digests), to);
  co_return Refusal{};
}

void MirrorControl::describe_partition(const TopicImage& topic, Partition& partition, PartitionResult& to) {
  const LogEnds ends = partition.ends();
  const auto target = services_.mirror_targets.target(partition);
  to.partition = partition.partition();
  to.end_offset = ends.end.value();
  to.high_watermark = ends.high_watermark.value();
  to.log_start_offset = ends.log_start.value();
  to.last_stable_offset = ends.last_stable.value();
  to.last_epoch = partition.log().last_epoch().value();
  to.leadership_epoch = partition.leadership_epoch().value();
  to.compacted_to = partition.log().compacted_to().value();
  to.read_only = topic.fenced();
  to.source_high_watermark = target->source.high_watermark.value();
  to.source_log_start = target->source.log_start.value();
  to.source_leader_epoch = target->source.leader_epoch.value();
  to.source_seen_ms = target->source.at.milliseconds_since_epoch;
}

}  // namespace

Task<Result<Response>> handle_mirror_control(RequestContext& context, Request request) {
  Services& services = context.services;
  const Deadline deadline =
      services.env.in(std::clamp<Duration>(milliseconds(request.timeout_ms), milliseconds(1), kLimitMax));
  Response response;
  response.incarnation = services.metadata.image()->incarnation;
  const auto operation = parse_mirror_operation(request.op);
  if (!operation) {
    response.error_code = static_cast<int16_t>(Code::kInvalidRequest);
    response.error_message = "there is no operation " + std::to_string(request.op) + " (0 open to " +
                             std::to_string(wire_value(kMirrorOperations.back())) + " create topic)";
    co_return response;
  }
  response.now_ms = services.env.wall_now().milliseconds_since_epoch;
  if (request.valid_until_ms >= 0 && response.now_ms > request.valid_until_ms) {
    response.error_code = static_cast<int16_t>(Code::kRequestTimedOut);
    response.error_message = "the request came after who asked for it had given it up; nothing was done";
    co_return response;
  }
  response.producer_id_salt = static_cast<int32_t>(services.producer_ids.salt());
  response.topics.reserve(request.topics.size());
  MirrorControl control(services, request, *operation, deadline);
  const LinkFences::Entered writes = co_await control.enter(context.client_id);
  for (const auto& from : request.topics) {
    TopicResult& to = response.topics.emplace_back();
    if (writes.refusal)
      control.refuse_topic(from, to, writes.refusal);
    else
      co_await control.serve(from, to);
  }
  co_return response;
}

ApiEntry mirror_control_api() {
  return api<handle_mirror_control>("MirrorControl", {Request::kMinVersion, Request::kMaxVersion},
                                    {kClusterClusterAction});
}

}  // namespace farshore::broker
