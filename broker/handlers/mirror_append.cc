// MirrorAppend 0 (private): the source's batches, appended as they are, if every partition is exactly where the sender
// believes it is. Each partition is judged alone.
#include "proto/kafka/messages/mirror_append.h"

#include "broker/mirror/targets.h"
#include "broker/net/api.h"
#include "broker/net/request_metrics.h"
#include "broker/partitions/partition_lookup.h"

namespace farshore::broker {
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

Task<MirrorProblem> append_one(RequestContext& context, const Request& request, const MirrorTargets::Found& topic,
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
  if (topic.problem) co_return topic.problem;
  if (ConstBytes records = from.records.bytes(); !records.empty()) {
    SliceList bytes;
    bytes.append(context.slice_of(records));
    ParseBatches how;
    auto run = parse_batches(std::move(bytes), how);
    if (!run) co_return MirrorProblem{Code::kCorruptMessage, run.error().to_string()};
    append.run = std::move(*run);
  }
  co_return co_await context.services.mirrors.append(std::move(partition), std::move(append), deadline);
}

}  // namespace

Task<Result<Response>> handle_mirror_append(RequestContext& context, Request request) {
  Services& services = context.services;
  const Deadline deadline =
      services.env.in(std::clamp<Duration>(milliseconds(request.timeout_ms), milliseconds(1), kAppendLimitMax));
  Response response;
  for (const auto& from_topic : request.topics) {
    auto topic = services.mirrors.find(from_topic.topic_id, LinkId(request.link_id), LinkEpoch(request.link_epoch));
    auto& to_topic = response.topics.emplace_back();
    to_topic.topic_id = from_topic.topic_id;
    for (const auto& from : from_topic.partitions) {
      auto& to = to_topic.partitions.emplace_back();
      to.partition = from.partition;
      auto found = find_partition(services, from_topic.topic_id, from.partition);
      MirrorProblem problem{found.error, {}};
      if (found.partition) {
        problem = co_await append_one(context, request, topic, from, found.partition, deadline);
        describe(*found.partition, to, found.partition->log());
      }
      if (!problem) continue;
      services.metrics.error(problem.code);
      to.error_code = static_cast<int16_t>(problem.code);
      to.error_message = std::move(problem.message);
    }
  }
  co_return response;
}

ApiEntry mirror_append_api() { return api<handle_mirror_append>(0, 0, "MirrorAppend"); }

}  // namespace farshore::broker
