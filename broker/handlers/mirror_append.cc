// MirrorAppend 0 (private): appends the source's batches unchanged, if the partition's end is exactly where the sender
// expects it. Each partition is checked and answered by itself.
#include "proto/kafka/messages/mirror_append.h"

#include "base/gate.h"
#include "broker/handlers/internal/entries.h"
#include "broker/handlers/services.h"
#include "broker/metadata/metadata.h"
#include "broker/mirror/mirror_targets.h"
#include "broker/mirror/mirror_topics.h"
#include "broker/net/api.h"
#include "broker/net/request_metrics.h"
#include "broker/partitions/partition_lookup.h"

namespace farshore::broker {

template <>
inline constexpr bool kHasViews<kafka::MirrorAppendRequest> = true;

namespace {

using Code = kafka::ErrorCode;
using Request = kafka::MirrorAppendRequest;
using Response = kafka::MirrorAppendResponse;
constexpr Duration kAppendLimitMax = seconds(30);

void describe(const Partition& partition, Response::MirrorAppendPartitionResult& to, Log& log) {
  const LogEnds ends = partition.ends();
  to.end_offset = ends.end.value();
  to.high_watermark = ends.high_watermark.value();
  to.log_start_offset = ends.log_start.value();
  to.last_epoch = log.last_epoch().value();
  to.leadership_epoch = partition.leadership_epoch().value();
}

Task<Refusal> append_one(RequestContext& context, const Request& request, const MirrorTopics::Answer& topic,
                         const Request::MirrorAppendPartition& from, PartitionPtr partition, Deadline deadline) {
  MirrorTargets::Append append;
  append.session = PumpSession(from.pump_session);
  append.link_epoch = LinkEpoch(request.link_epoch);
  append.expected_end = Offset(from.expected_end_offset);
  append.epoch_before = LogEpoch(from.previous_epoch);
  append.source.high_watermark = Offset(from.source_high_watermark);
  append.source.log_start = Offset(from.source_log_start);
  append.source.last_stable = Offset(from.last_stable_offset);
  append.source.leader_epoch = LeadershipEpoch(from.source_leader_epoch);
  if (topic.refusal) co_return topic.refusal;
  if (ConstBytes records = from.records.bytes(); !records.empty()) {
    SliceList bytes;
    bytes.append(context.slice_of(records));
    ParseBatches how;
    auto run = parse_batches(std::move(bytes), how);
    if (!run) co_return Refusal{Code::kCorruptMessage, run.error().to_string()};
    append.run = std::move(*run);
  }
  co_return co_await context.services.mirror_targets.append(std::move(partition), std::move(append), deadline);
}

Task<void> serve_append(RequestContext& context, const Request& request, const MirrorTopics::Answer& topic,
                        const Request::MirrorAppendPartition& from, const TopicId& topic_id,
                        Response::MirrorAppendPartitionResult& to, Deadline deadline) {
  Services& services = context.services;
  to.partition = from.partition;
  auto found = find_partition(services.partitions, *services.metadata.image(), topic_id, from.partition);
  Refusal refusal = found.refusal();
  if (found.partition) {
    refusal = co_await append_one(context, request, topic, from, found.partition, deadline);
    describe(*found.partition, to, found.partition->log());
  }
  if (!refusal) co_return;
  services.metrics.error(refusal.code);
  to.error_code = static_cast<int16_t>(refusal.code);
  to.error_message = std::move(refusal.message);
}

}  // namespace

Task<Result<Response>> handle_mirror_append(RequestContext& context, Request request) {
  Services& services = context.services;
  const Deadline deadline =
      services.env.in(std::clamp<Duration>(milliseconds(request.timeout_ms), milliseconds(1), kAppendLimitMax));
  Response response;
  // All partitions at once: each waits for its own sync, and the disk serves them side by side.
  std::vector<MirrorTopics::Answer> topics;
  topics.reserve(request.topics.size());
  response.topics.reserve(request.topics.size());
  Gate appends(services.env);
  for (const auto& from_topic : request.topics) {
    topics.push_back(
        services.mirror_topics.find(from_topic.topic_id, LinkId(request.link_id), LinkEpoch(request.link_epoch)));
    auto& to_topic = response.topics.emplace_back();
    to_topic.topic_id = from_topic.topic_id;
    to_topic.partitions.resize(from_topic.partitions.size());
    for (size_t i = 0; i < from_topic.partitions.size(); ++i)
      spawn(appends, "mirror append",
            serve_append(context, request, topics.back(), from_topic.partitions[i], from_topic.topic_id,
                         to_topic.partitions[i], deadline));
  }
  co_await appends.close();
  co_return response;
}

ApiEntry mirror_append_api() { return api<handle_mirror_append>("MirrorAppend", {0, 0}, {kClusterClusterAction}); }

}  // namespace farshore::broker
