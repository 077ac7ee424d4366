// OffsetCommit 2-9. Answered once the log has committed it; all partitions that are accepted are written together.
// Generation -1 without a member id comes from outside of group management (tools, links): only into a group without
// members.
#include "proto/kafka/messages/offset_commit.h"
#include "broker/groups/coordinator.h"
#include "broker/handlers/internal/entries.h"
#include "broker/handlers/services.h"
#include "broker/metadata/metadata.h"
#include "broker/mirror/link_fences.h"
#include "broker/net/api.h"
#include "broker/net/request_metrics.h"

namespace farshore::broker {
namespace {
using Code = kafka::ErrorCode;

constexpr Duration kCommitLimit = seconds(30);  // to hear who has a link; the request brings no timeout of its own

}  // namespace

Task<Result<kafka::OffsetCommitResponse>> handle_offset_commit(RequestContext& context,
                                                               kafka::OffsetCommitRequest request) {
  Services& services = context.services;
  GroupShard::Commit commit;
  commit.group = std::move(request.group_id);
  commit.member.member_id = std::move(request.member_id);
  commit.member.instance_id = std::move(request.group_instance_id);
  commit.generation = request.generation_id_or_member_epoch;
  commit.if_group_missing = context.api_version >= 9 ? Code::kGroupIdNotFound : Code::kIllegalGeneration;
  const int64_t now_ms = services.env.wall_now().milliseconds_since_epoch;
  ImagePtr image = services.metadata.image();

  kafka::OffsetCommitResponse response;
  std::vector<std::pair<size_t, size_t>> accepted;  // where their codes go
  for (auto& topic : request.topics) {
    if (topic.partitions.empty()) continue;  // as Kafka, which answers by partition
    auto& to = response.topics.emplace_back();
    const TopicImage* known = image->topic(topic.name);
    const size_t partitions = known ? known->partitions.size() : 0;
    for (auto& partition : topic.partitions) {
      auto& result = to.partitions.emplace_back();
      result.partition_index = partition.partition_index;
      Code refused = Code::kNone;
      if (partition.partition_index < 0 || static_cast<size_t>(partition.partition_index) >= partitions)
        refused = Code::kUnknownTopicOrPartition;
      else if (partition.committed_metadata &&
               partition.committed_metadata->size() > services.groups.options().metadata_bytes_max)
        refused = Code::kOffsetMetadataTooLarge;
      if (refused != Code::kNone) {
        services.metrics.error(refused);
        result.error_code = static_cast<int16_t>(refused);
        continue;
      }
      accepted.emplace_back(response.topics.size() - 1, to.partitions.size() - 1);
      TopicPartition key;
      key.topic = topic.name;
      key.partition = partition.partition_index;
      CommittedOffset value;
      value.offset = Offset(partition.committed_offset);
      value.leader_epoch = partition.committed_leader_epoch;
      value.metadata = std::move(partition.committed_metadata).value_or("");
      value.commit_ms = now_ms;
      if (request.retention_time_ms >= 0) value.expire_ms = now_ms + request.retention_time_ms;
      commit.offsets.emplace_back(std::move(key), std::move(value));
    }
    to.name = std::move(topic.name);
  }
  LinkFences::Entered writes = co_await services.link_fences.write(context.client_id, services.env.in(kCommitLimit));
  Code error = writes.refusal.code;
  if (!writes.refusal) error = co_await services.groups.commit(std::move(commit));
  services.metrics.error(error);
  for (auto [topic, partition] : accepted)
    response.topics[topic].partitions[partition].error_code = static_cast<int16_t>(error);
  co_return response;
}

ApiEntry offset_commit_api() { return api<handle_offset_commit>("OffsetCommit", {2, 9}, {kGroupRead, kTopicRead}); }

}  // namespace farshore::broker
