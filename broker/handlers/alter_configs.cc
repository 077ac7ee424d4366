// AlterConfigs 0-2, of topics: all their configs at once. What the request does not name is deleted, as Kafka does.
// IncrementalAlterConfigs came after it; some clients and tools have this one only.
#include "proto/kafka/messages/alter_configs.h"

#include <utility>

#include "broker/handlers/internal/config_resource.h"
#include "broker/handlers/internal/entries.h"
#include "broker/handlers/services.h"
#include "broker/metadata/topic_config.h"
#include "broker/net/api.h"

namespace farshore::broker {
namespace {

using Code = kafka::ErrorCode;
using Request = kafka::AlterConfigsRequest;
using Response = kafka::AlterConfigsResponse;

Refusal plan_all(const Services&, const TopicImage& topic, const Request::AlterConfigsResource& asked,
                 MetadataManager::ConfigChanges& changes) {
  TopicConfigs wanted;
  for (const auto& config : asked.configs) {
    if (!config.value) return {Code::kInvalidRequest, "config " + config.name + " has no value"};
    if (!wanted.emplace(config.name, trimmed_config(*config.value)).second)
      return {Code::kInvalidRequest, "config " + config.name + " is set twice in this request"};
  }
  if (auto checked = check_topic_configs(wanted); !checked) return {Code::kInvalidConfig, checked.error().detail};
  for (const auto& [name, value] : topic.configs)
    if (!wanted.contains(name)) changes[name] = std::nullopt;
  for (auto& [name, value] : wanted) changes[name] = std::move(value);
  return {};
}

}  // namespace

Task<Result<Response>> handle_alter_configs(RequestContext& context, Request request) {
  return alter_resources(context.services, context.client_id, std::move(request), plan_all);
}

ApiEntry alter_configs_api() {
  return api<handle_alter_configs>("AlterConfigs", {0, 2}, {kTopicAlterConfigs, kClusterAlterConfigs});
}

}  // namespace farshore::broker
