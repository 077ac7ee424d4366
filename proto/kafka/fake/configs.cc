// FakeKafka's topics as an admin makes and configures them. It knows every key, and refuses what it is told to refuse.
#include <algorithm>
#include <charconv>

#include "proto/kafka/error_code.h"
#include "proto/kafka/fake/call.h"
#include "proto/kafka/messages/create_topics.h"
#include "proto/kafka/messages/describe_configs.h"
#include "proto/kafka/messages/incremental_alter_configs.h"

namespace farshore::kafka {

// As Apache Kafka 4.1.1 says it.
std::optional<std::string> FakeKafka::refused_value(const std::string& name, const std::string& value) const {
  auto minimum = config_minimums.find(name);
  if (minimum == config_minimums.end()) return std::nullopt;
  int64_t number = 0;
  (void)std::from_chars(value.data(), value.data() + value.size(), number);
  if (number >= minimum->second) return std::nullopt;
  return "Invalid value " + value + " for configuration " + name + ": Value must be at least " +
         std::to_string(minimum->second);
}

void FakeKafka::create_topics(Call& call) {
  auto request = call.decode<CreateTopicsRequest>();
  CreateTopicsResponse response;
  for (const auto& wanted : request.topics) {
    auto& told = response.topics.emplace_back();
    told.name = wanted.name;
    if (topics.count(wanted.name)) {
      told.error_code = static_cast<int16_t>(ErrorCode::kTopicAlreadyExists);
      continue;
    }
    for (const auto& config : wanted.configs) {
      auto refused = refused_value(config.name, config.value.value_or(""));
      if (!refused) continue;
      told.error_code = static_cast<int16_t>(config_refusal);
      told.error_message = std::move(refused);
      break;
    }
    if (told.error_code != 0 || request.validate_only) continue;
    Topic& topic = add_topic(wanted.name, std::max<int32_t>(wanted.num_partitions, 1));
    for (const auto& config : wanted.configs) topic.configs[config.name] = config.value.value_or("");
    told.topic_id = topic.id;
    told.num_partitions = static_cast<int32_t>(topic.partitions.size());
    told.replication_factor = 1;
  }
  response.encode(call.out, call.version());
}

void FakeKafka::describe_configs(Call& call) {
  auto request = call.decode<DescribeConfigsRequest>();
  DescribeConfigsResponse response;
  for (const auto& resource : request.resources) {
    auto& told = response.results.emplace_back();
    told.resource_type = resource.resource_type;
    told.resource_name = resource.resource_name;
    auto it = topics.find(resource.resource_name);
    if (it == topics.end()) {
      told.error_code = static_cast<int16_t>(ErrorCode::kUnknownTopicOrPartition);
      continue;
    }
    for (const auto& [name, value] : it->second.configs) {
      auto& config = told.configs.emplace_back();
      config.name = name;
      config.value = value;
      config.config_source = 1;
    }
  }
  response.encode(call.out, call.version());
}

void FakeKafka::alter_configs(Call& call) {
  auto request = call.decode<IncrementalAlterConfigsRequest>();
  IncrementalAlterConfigsResponse response;
  for (const auto& resource : request.resources) {
    auto& told = response.responses.emplace_back();
    told.resource_type = resource.resource_type;
    told.resource_name = resource.resource_name;
    auto it = topics.find(resource.resource_name);
    if (it == topics.end()) {
      told.error_code = static_cast<int16_t>(ErrorCode::kUnknownTopicOrPartition);
      continue;
    }
    auto configs = it->second.configs;
    for (const auto& config : resource.configs) {
      configs.erase(config.name);
      if (config.config_operation != 0) continue;  // delete
      configs[config.name] = config.value.value_or("");
      auto refused = refused_value(config.name, config.value.value_or(""));
      if (!refused) continue;
      told.error_code = static_cast<int16_t>(config_refusal);
      told.error_message = std::move(refused);
    }
    if (told.error_code == 0 && !request.validate_only) it->second.configs = std::move(configs);  // all or none
  }
  response.encode(call.out, call.version());
}

}  // namespace farshore::kafka
