#include "proto/kafka/fake/internal/topic_apis.h"

#include <algorithm>
#include <charconv>

#include "proto/kafka/fake/internal/wire_code.h"
#include "proto/kafka/messages/create_topics.h"
#include "proto/kafka/messages/describe_configs.h"
#include "proto/kafka/messages/incremental_alter_configs.h"

namespace farshore::kafka {

namespace {

constexpr int8_t kFakeBrokerResource = 4;

}  // namespace

// The text is Apache Kafka 4.1.1's.
Refusal TopicApis::check(const std::string& name, const std::string& value) const {
  auto minimum = cluster_.config_minimums.find(name);
  if (minimum == cluster_.config_minimums.end()) return {};
  int64_t number = 0;
  (void)std::from_chars(value.data(), value.data() + value.size(), number);
  if (number >= minimum->second) return {};
  return {cluster_.config_refusal, "Invalid value " + value + " for configuration " + name +
                                       ": Value must be at least " + std::to_string(minimum->second)};
}

void TopicApis::create_topics(FakeCall& call) {
  auto request = call.decode<CreateTopicsRequest>();
  CreateTopicsResponse response;
  for (const auto& wanted : request.topics) {
    auto& result = response.topics.emplace_back();
    result.name = wanted.name;
    if (cluster_.topics.count(wanted.name)) {
      result.error_code = wire(ErrorCode::kTopicAlreadyExists);
      continue;
    }
    for (const auto& config : wanted.configs) {
      auto refused = check(config.name, config.value.value_or(""));
      if (!refused) continue;
      result.error_code = wire(refused.code);
      result.error_message = std::move(refused.message);
      break;
    }
    if (result.error_code != 0 || request.validate_only) continue;
    FakeTopic& topic = cluster_.add_topic(wanted.name, std::max<int32_t>(wanted.num_partitions, 1));
    for (const auto& config : wanted.configs) topic.configs[config.name] = config.value.value_or("");
    result.topic_id = topic.id;
    result.num_partitions = static_cast<int32_t>(topic.partitions.size());
    result.replication_factor = 1;
  }
  call.reply(response);
}

void TopicApis::describe_configs(FakeCall& call) {
  auto request = call.decode<DescribeConfigsRequest>();
  DescribeConfigsResponse response;
  for (const auto& resource : request.resources) {
    auto& result = response.results.emplace_back();
    result.resource_type = resource.resource_type;
    result.resource_name = resource.resource_name;
    auto it = cluster_.topics.find(resource.resource_name);
    const bool of_broker = resource.resource_type == kFakeBrokerResource;
    if (!of_broker && it == cluster_.topics.end()) {
      result.error_code = wire(ErrorCode::kUnknownTopicOrPartition);
      continue;
    }
    for (const auto& [name, value] : of_broker ? cluster_.broker_configs : it->second.configs) {
      auto& config = result.configs.emplace_back();
      config.name = name;
      config.value = value;
      config.config_source = 1;
    }
  }
  call.reply(response);
}

void TopicApis::alter_configs(FakeCall& call) {
  auto request = call.decode<IncrementalAlterConfigsRequest>();
  IncrementalAlterConfigsResponse response;
  for (const auto& resource : request.resources) {
    auto& result = response.responses.emplace_back();
    result.resource_type = resource.resource_type;
    result.resource_name = resource.resource_name;
    auto it = cluster_.topics.find(resource.resource_name);
    if (it == cluster_.topics.end()) {
      result.error_code = wire(ErrorCode::kUnknownTopicOrPartition);
      continue;
    }
    auto configs = it->second.configs;
    for (const auto& config : resource.configs) {
      configs.erase(config.name);
      if (config.config_operation != 0) continue;  // delete
      configs[config.name] = config.value.value_or("");
      auto refused = check(config.name, config.value.value_or(""));
      if (!refused) continue;
      result.error_code = wire(refused.code);
      result.error_message = std::move(refused.message);
    }
    if (result.error_code == 0 && !request.validate_only) it->second.configs = std::move(configs);  // all or none
  }
  call.reply(response);
}

}  // namespace farshore::kafka
