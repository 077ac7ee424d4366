// CreateTopics 2-7. A partition has one replica, on this broker: a manual assignment must say just that.
#include <map>

#include "broker/broker_config.h"
#include "broker/metadata/topic_config.h"
#include "broker/metadata/topics.h"
#include "broker/net/api.h"
#include "broker/net/request_metrics.h"
#include "proto/kafka/messages/create_topics.h"

namespace farshore::broker {
namespace {

using kafka::CreateTopicsRequest;
using kafka::CreateTopicsResponse;
using Asked = CreateTopicsRequest::CreatableTopic;
using Code = kafka::ErrorCode;

// The partition count that a manual assignment asks for.
TopicProblem check_assignment(const Asked& asked, BrokerId self, int32_t& partitions) {
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

TopicProblem to_new_topic(const Services& services, const Asked& asked, NewTopic& topic) {
  topic.name = asked.name;
  topic.partitions = asked.num_partitions == -1 ? services.options.num_partitions : asked.num_partitions;
  if (!asked.assignments.empty()) {
    if (auto bad = check_assignment(asked, services.metadata.self(), topic.partitions)) return bad;
  } else if (asked.replication_factor != -1 && asked.replication_factor != 1) {
    return {Code::kInvalidReplicationFactor,
            "replication factor " + std::to_string(asked.replication_factor) + ": this cluster has 1 broker"};
  }
  NewTopic reserved = auto_topic(services, asked.name);
  topic.internal = reserved.internal;
  if (reserved.internal) topic.configs = std::move(reserved.configs);
  for (const auto& config : asked.configs) {
    if (!config.value) return {Code::kInvalidConfig, "config " + config.name + " has no value"};
    topic.configs[config.name] = *config.value;
  }
  return {};
}

void describe_created(const Services& services, const TopicConfigs& configs, int32_t partitions,
                      CreateTopicsResponse::CreatableTopicResult& to) {
  to.num_partitions = partitions;
  to.replication_factor = 1;
  auto& list = to.configs.emplace();
  for (const auto& described : describe_topic_configs(services.config, configs)) {
    auto& config = list.emplace_back();
    config.name = described.name;
    config.value = described.value;
    config.config_source = static_cast<int8_t>(described.source);
  }
}

}  // namespace

Task<Result<CreateTopicsResponse>> handle_create_topics(RequestContext& context, CreateTopicsRequest request) {
  Services& services = context.services;
  Deadline deadline = services.env.in(milliseconds(request.timeout_ms));
  std::map<std::string, int> times;
  for (const auto& asked : request.topics) ++times[asked.name];
  CreateTopicsResponse response;
  std::map<std::string, bool> answered;
  for (const auto& asked : request.topics) {
    if (!answered.emplace(asked.name, true).second) continue;
    auto& to = response.topics.emplace_back();
    to.name = asked.name;
    NewTopic topic;
    TopicProblem problem;
    if (times[asked.name] > 1)
      problem = {Code::kInvalidRequest, "topic '" + asked.name + "' is named twice in this request"};
    else
      problem = to_new_topic(services, asked, topic);
    TopicConfigs configs = topic.configs;
    int32_t partitions = topic.partitions;
    if (!problem && request.validate_only) {
      problem = check_new_topic(services, topic);
    } else if (!problem) {
      auto created = co_await create_topic(services, std::move(topic), deadline);
      problem = std::move(created.problem);
      if (!problem) to.topic_id = created.topic->id;
    }
    if (problem) {
      services.metrics.error(problem.code);
      to.error_code = static_cast<int16_t>(problem.code);
      to.error_message = std::move(problem.message);
      to.configs.emplace();
    } else {
      describe_created(services, configs, partitions, to);
    }
  }
  co_return response;
}

ApiEntry create_topics_api() { return api<handle_create_topics>(2, 7, "CreateTopics"); }

}  // namespace farshore::broker
