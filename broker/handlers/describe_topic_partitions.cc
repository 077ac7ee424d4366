// DescribeTopicPartitions 0 (KIP-966): partitions of topics in pages, in order of names. There are no eligible leader
// replicas: a partition has one replica.
#include <algorithm>

#include "broker/handlers/internal/authorized_operations.h"
#include "broker/handlers/internal/entries.h"
#include "broker/handlers/internal/list_turn.h"
#include "broker/handlers/internal/partition_description.h"
#include "broker/handlers/services.h"
#include "broker/metadata/topic_name.h"
#include "broker/net/api.h"
#include "broker/net/request_metrics.h"
#include "proto/kafka/messages/describe_topic_partitions.h"

namespace farshore::broker {
namespace {

using Code = kafka::ErrorCode;
using Request = kafka::DescribeTopicPartitionsRequest;
using Response = kafka::DescribeTopicPartitionsResponse;

constexpr int32_t kPartitionsPerPageMax = 2000;  // max.request.partition.size.limit of Kafka

// A page goes on at a partition of one of the topics that are asked for.
bool valid_cursor(const Request& request) {
  if (!request.cursor) return true;
  if (request.cursor->partition_index < 0) return false;
  return request.topics.empty() || std::any_of(request.topics.begin(), request.topics.end(), [&](const auto& topic) {
           return topic.name == request.cursor->topic_name;
         });
}

Response refuse_cursor(RequestContext& context, const Request& request) {
  Response response;
  context.services.metrics.error(Code::kInvalidRequest);
  for (const auto& topic : request.topics) {
    auto& to = response.topics.emplace_back();
    to.name = topic.name;
    to.error_code = static_cast<int16_t>(Code::kInvalidRequest);
  }
  return response;
}

}  // namespace

Task<Result<Response>> handle_describe_topic_partitions(RequestContext& context, Request request) {
  Services& services = context.services;
  if (!valid_cursor(request)) co_return refuse_cursor(context, request);
  ImagePtr image = services.metadata.image();
  std::vector<std::string> names;
  if (request.topics.empty()) {
    for (const auto& [name, topic] : image->topics) names.push_back(name);
  } else {
    for (auto& topic : request.topics) names.push_back(std::move(topic.name));
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
  }
  Response response;
  int32_t left = std::clamp(request.response_partition_limit, 1, kPartitionsPerPageMax);
  TurnBudget turn(services.env);
  for (const auto& name : names) {
    if (turn.spend(kListElementWork)) co_await turn.next_turn();
    if (request.cursor && name < request.cursor->topic_name) continue;
    size_t first = 0;
    if (request.cursor && name == request.cursor->topic_name)
      first = static_cast<size_t>(std::max(request.cursor->partition_index, 0));
    if (left == 0) {
      auto& cursor = response.next_cursor.emplace();
      cursor.topic_name = name;
      cursor.partition_index = static_cast<int32_t>(first);
      break;
    }
    auto& to = response.topics.emplace_back();
    to.name = name;
    to.topic_authorized_operations = kTopicOperations;
    const TopicImage* topic = image->topic(name);
    if (!topic) {
      const Refusal illegal = check_topic_syntax(name);
      const Code error = illegal ? illegal.code : Code::kUnknownTopicOrPartition;
      services.metrics.error(error);
      to.error_code = static_cast<int16_t>(error);
      continue;
    }
    to.topic_id = topic->id;
    to.is_internal = topic->internal;
    size_t at = first;
    for (; at < topic->partitions.size() && left > 0; ++at, --left) {
      auto& partition = to.partitions.emplace_back();
      describe_partition(services, *topic, topic->partitions[at], partition);
      partition.eligible_leader_replicas.emplace();  // Java's client takes no null here
      partition.last_known_elr.emplace();
    }
    if (at < topic->partitions.size()) {
      auto& cursor = response.next_cursor.emplace();
      cursor.topic_name = name;
      cursor.partition_index = static_cast<int32_t>(at);
      break;
    }
  }
  co_return response;
}

ApiEntry describe_topic_partitions_api() {
  return api<handle_describe_topic_partitions>("DescribeTopicPartitions", {0, 0}, {kTopicDescribe});
}

}  // namespace farshore::broker
