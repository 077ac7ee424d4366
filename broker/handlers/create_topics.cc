// CreateTopics 2-7. A partition has one replica, on this broker: a manual assignment must say just that.
#include <algorithm>
#include <map>

#include "broker/handlers/internal/client_deadline.h"
#include "broker/handlers/internal/default_topic.h"
#include "broker/handlers/internal/entries.h"
#include "broker/handlers/internal/list_turn.h"
#include "broker/handlers/internal/out_of_time.h"
#include "broker/handlers/internal/partition_count.h"
#include "broker/handlers/internal/repeats.h"
#include "broker/handlers/services.h"
#include "broker/metadata/topic_config.h"
#include "broker/net/api.h"
#include "broker/net/request_metrics.h"
#include "broker/partitions/topic_creator.h"
#include "proto/kafka/messages/create_topics.h"

namespace farshore::broker {
namespace {

using kafka::CreateTopicsRequest;
using kafka::CreateTopicsResponse;
using Asked = CreateTopicsRequest::CreatableTopic;
using Code = kafka::ErrorCode;

// The partition count that a manual assignment asks for.
Refusal check_assignment(const Asked& asked, BrokerId self, int32_t& partitions) {
  if (asked.num_partitions != -1 || asked.replication_factor != -1)
    return {Code::kInvalidRequest, "with a replica assignment, partition count and replication factor must be -1"};
  std::map<int32_t, bool> seen;
  for (const auto& assignment : asked.assignments) {
    if (assignment.broker_ids != std::vector<int32_t>{self.value()})
      return {Code::kInvalidReplicaAssignment,
              "a partition has one replica, on broker " + std::to_string(self.value())};
    if (!seen.emplace(assignment.partition_index, true).second)
      return {Code::kInvalidReplicaAssignment, "a partition is assigned twice"};
  }
  if (seen.begin()->first != 0 || seen.rbegin()->first != static_cast<int32_t>(seen.size()) - 1)
    return {Code::kInvalidReplicaAssignment, "partitions are numbered from 0 without gaps"};
  partitions = static_cast<int32_t>(seen.size());
  return {};
}

Refusal to_new_topic(const Services& services, const Asked& asked, NewTopic& topic) {
  topic.name = asked.name;
  topic.partitions = asked.num_partitions == -1 ? services.topics.limits().partitions_default : asked.num_partitions;
  if (!asked.assignments.empty()) {
    if (auto bad = check_assignment(asked, services.metadata.self(), topic.partitions)) return bad;
  } else if (asked.replication_factor != -1 && asked.replication_factor != 1) {
    return {Code::kInvalidReplicationFactor,
            "replication factor " + std::to_string(asked.replication_factor) + ": this cluster has 1 broker"};
  }
  NewTopic reserved = default_topic(services, asked.name);
  topic.internal = reserved.internal;
  if (reserved.internal) topic.configs = std::move(reserved.configs);
  for (const auto& config : asked.configs) {
    if (!config.value) return {Code::kInvalidConfig, "config " + config.name + " has no value"};
    topic.configs[config.name] = trimmed_config(*config.value);
  }
  return {};
}

// Of all topics of a request; as Kafka counts, before anything else is looked at.
int64_t count_partitions(const Services& services, const CreateTopicsRequest& request) {
  int64_t count = 0;
  for (const auto& asked : request.topics) {
    if (!asked.assignments.empty())
      count += static_cast<int64_t>(asked.assignments.size());
    else
      count +=
          asked.num_partitions == -1 ? services.topics.limits().partitions_default : std::max(asked.num_partitions, 0);
  }
  return count;
}

void describe_created(const Services& services, const TopicConfigs& configs, int32_t partitions,
                      CreateTopicsResponse::CreatableTopicResult& to) {
  to.num_partitions = partitions;
  to.replication_factor = 1;
  auto& list = to.configs.emplace();
  for (const auto& described : describe_topic_configs(services.config, configs)) {
    auto& config = list.emplace_back();
    config.name = described.name;
    const auto own = configs.find(described.name);
    config.value = own == configs.end() ? described.value : own->second;  // as it was set
    config.config_source = static_cast<int8_t>(described.source);
  }
}

}  // namespace

Task<Result<CreateTopicsResponse>> handle_create_topics(RequestContext& context, CreateTopicsRequest request) {
  Services& services = context.services;
  Deadline deadline = client_deadline(services.env, request.timeout_ms);
  Repeats<std::string> repeats;
  for (const auto& asked : request.topics) repeats.add(asked.name);
  const Refusal too_many =
      check_new_partitions(count_partitions(services, request), services.topics.limits().partitions_per_topic_max);
  CreateTopicsResponse response;
  TurnBudget turn(services.env);
  for (const auto& asked : request.topics) {
    if (turn.spend(kListElementWork)) co_await turn.next_turn();
    if (!repeats.first(asked.name)) continue;
    auto& to = response.topics.emplace_back();
    to.name = asked.name;
    NewTopic topic;
    Refusal refusal;
    if (repeats.repeated(asked.name))
      refusal = {Code::kInvalidRequest, "topic '" + asked.name + "' is named twice in this request"};
    else if (too_many)
      refusal = too_many;
    else if (refusal = refuse_out_of_time(services.env, deadline); !refusal)
      refusal = to_new_topic(services, asked, topic);
    TopicConfigs configs = topic.configs;
    int32_t partitions = topic.partitions;
    if (!refusal && request.validate_only) {
      refusal = services.topics.check(topic);
      to.topic_id = services.env.random().uuid();  // as Kafka: an id that no topic will have
    } else if (!refusal) {
      auto created = co_await services.topics.create(std::move(topic), deadline);
      refusal = std::move(created.refusal);
      if (!refusal) to.topic_id = created.topic->id;
    }
    to.error_message.reset();
    if (refusal) {
      services.metrics.error(refusal.code);
      to.topic_id = {};
      to.error_code = static_cast<int16_t>(refusal.code);
      to.error_message = std::move(refusal.message);
      to.configs.emplace();
    } else {
      describe_created(services, configs, partitions, to);
    }
  }
  co_return response;
}

ApiEntry create_topics_api() {
  return api<handle_create_topics>("CreateTopics", {2, 7}, {kTopicCreate, kClusterCreate, kTopicDescribeConfigs});
}

}  // namespace farshore::broker
