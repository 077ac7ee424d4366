// DescribeConfigs 1-4, of topics and of this broker. Nothing that we have is secret.
#include <algorithm>
#include <charconv>

#include "broker/handlers/internal/config_resource.h"
#include "broker/handlers/internal/entries.h"
#include "broker/handlers/internal/list_turn.h"
#include "broker/handlers/internal/repeats.h"
#include "broker/handlers/services.h"
#include "broker/metadata/metadata.h"
#include "broker/metadata/topic_config.h"
#include "broker/metadata/topic_name.h"
#include "broker/net/api.h"
#include "broker/net/request_metrics.h"
#include "proto/kafka/error_code.h"
#include "proto/kafka/messages/describe_configs.h"

namespace farshore::broker {
namespace {

using Code = kafka::ErrorCode;
using Request = kafka::DescribeConfigsRequest;
using Response = kafka::DescribeConfigsResponse;

int8_t wire_type(ConfigType type) {  // Kafka's ConfigType on the wire
  switch (type) {
    case ConfigType::kBool:
      return 1;
    case ConfigType::kString:
      return 2;
    case ConfigType::kInt:
      return 3;
    case ConfigType::kLong:
      return 5;
    case ConfigType::kDouble:
      return 6;
    case ConfigType::kList:
      return 7;
  }
  return 0;
}

// A number, as Kafka reads it: 01 is 1.
bool names_broker(std::string_view name, BrokerId id) {
  int32_t number = 0;
  auto [end, failure] = std::from_chars(name.data(), name.data() + name.size(), number);
  return failure == std::errc() && end == name.data() + name.size() && number == id.value();
}

// An empty text stands for "not set" where the type has no empty value.
std::optional<std::string> shown(const std::string& value, ConfigType type) {
  if (value.empty() && type != ConfigType::kString && type != ConfigType::kList) return std::nullopt;
  return value;
}

void describe(const Request& request, const Request::DescribeConfigsResource& asked,
              const std::vector<DescribedConfig>& configs, Response::DescribeConfigsResult& to) {
  for (const auto& config : configs) {
    if (asked.configuration_keys && !asked.configuration_keys->empty() &&
        std::find(asked.configuration_keys->begin(), asked.configuration_keys->end(), config.name) ==
            asked.configuration_keys->end())
      continue;
    auto& entry = to.configs.emplace_back();
    entry.name = config.name;
    entry.value = shown(config.value, config.type);
    entry.read_only = config.read_only;
    entry.config_source = static_cast<int8_t>(config.source);
    entry.config_type = wire_type(config.type);
    entry.documentation.reset();
    if (request.include_documentation) entry.documentation = std::string(config.help);
    if (!request.include_synonyms) continue;
    for (const auto& synonym : config.synonyms) {
      auto& other = entry.synonyms.emplace_back();
      other.name = synonym.name;
      other.value = shown(synonym.value, config.type);
      other.source = static_cast<int8_t>(synonym.source);
    }
  }
}

}  // namespace

Task<Result<Response>> handle_describe_configs(RequestContext& context, Request request) {
  const Services& services = context.services;
  ImagePtr image = services.metadata.image();
  Response response;
  Repeats<std::pair<int8_t, std::string_view>> repeats;
  TurnBudget turn(services.env);
  for (const auto& asked : request.resources) {
    if (turn.spend(kListElementWork)) co_await turn.next_turn();
    if (!repeats.first({asked.resource_type, asked.resource_name})) continue;
    auto& to = response.results.emplace_back();
    to.resource_type = asked.resource_type;
    to.resource_name = asked.resource_name;
    Code error = Code::kNone;
    if (asked.resource_type == kTopicResource) {
      if (const TopicImage* topic = image->topic(asked.resource_name)) {
        describe(request, asked, describe_topic_configs(services.config, topic->configs), to);
      } else {
        const Refusal illegal = check_topic_syntax(asked.resource_name);
        error = illegal ? illegal.code : Code::kUnknownTopicOrPartition;
        to.error_message = illegal.message;
      }
    } else if (asked.resource_type == kBrokerResource) {
      if (names_broker(asked.resource_name, services.metadata.self())) {
        describe(request, asked, describe_broker_configs(services.config), to);
      } else if (!asked.resource_name.empty()) {  // empty: the cluster-wide dynamic defaults, of which there are none
        error = Code::kInvalidRequest;
        to.error_message = "this is broker " + std::to_string(services.metadata.self().value());
      }
    } else {
      error = Code::kInvalidRequest;
      to.error_message = "only topics (2) and brokers (4) have configs here";
    }
    if (error == Code::kNone) continue;
    context.services.metrics.error(error);
    to.error_code = static_cast<int16_t>(error);
  }
  co_return response;
}

ApiEntry describe_configs_api() {
  return api<handle_describe_configs>("DescribeConfigs", {1, 4}, {kTopicDescribeConfigs, kClusterDescribeConfigs});
}

}  // namespace farshore::broker
