// OffsetDelete 0 (KIP-496): removes committed offsets of topics that the group's members do not subscribe to.
#include "proto/kafka/messages/offset_delete.h"
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

constexpr Duration kOffsetDeleteLimit = seconds(30);  // to hear who has a link

}  // namespace

Task<Result<kafka::OffsetDeleteResponse>> handle_offset_delete(RequestContext& context,
                                                               kafka::OffsetDeleteRequest request) {
  Services& services = context.services;
  ImagePtr image = services.metadata.image();
  std::vector<TopicPartition> wanted;
  for (const auto& topic : request.topics) {
    for (const auto& partition : topic.partitions) {
      TopicPartition key;
      key.topic = topic.name;
      key.partition = partition.partition_index;
      const TopicImage* known = image->topic(topic.name);
      const bool there = known && key.partition >= 0 && static_cast<size_t>(key.partition) < known->partitions.size();
      if (there) wanted.push_back(std::move(key));
    }
  }
  kafka::OffsetDeleteResponse response;
  LinkFences::Entered writes =
      co_await services.link_fences.write(context.client_id, services.env.in(kOffsetDeleteLimit));
  if (writes.refusal) {
    services.metrics.error(writes.refusal.code);
    response.error_code = static_cast<int16_t>(writes.refusal.code);
    co_return response;
  }
  auto deleted = co_await services.groups.delete_offsets(std::move(request.group_id), std::move(wanted));
  services.metrics.error(deleted.error);
  response.error_code = static_cast<int16_t>(deleted.error);
  if (deleted.error != Code::kNone) co_return response;
  for (auto& topic : request.topics) {
    if (topic.partitions.empty()) continue;  // as Kafka, which answers by partition
    auto& to = response.topics.emplace_back();
    for (const auto& partition : topic.partitions) {
      TopicPartition key;
      key.topic = topic.name;
      key.partition = partition.partition_index;
      auto at = deleted.partitions.find(key);
      const Code code = at == deleted.partitions.end() ? Code::kUnknownTopicOrPartition : at->second;
      services.metrics.error(code);
      auto& result = to.partitions.emplace_back();
      result.partition_index = partition.partition_index;
      result.error_code = static_cast<int16_t>(code);
    }
    to.name = std::move(topic.name);
  }
  co_return response;
}

ApiEntry offset_delete_api() { return api<handle_offset_delete>("OffsetDelete", {0, 0}, {kGroupDelete, kTopicRead}); }

}  // namespace farshore::broker
