// AlterConfigs 0-2, of topics: all their configs at once. What the request does not name is deleted, as Kafka does.
// IncrementalAlterConfigs came after it; some clients and tools have this one only.
#include "proto/kafka/messages/alter_configs.h"

#include <utility>

#include "broker/handlers/internal/config_resource.h"
#include "broker/handlers/internal/entries.h"
#include "broker/handlers/internal/list_turn.h"
#include "broker/handlers/internal/repeats.h"
#include "broker/handlers/services.h"
#include "broker/metadata/topic_config.h"
#include "broker/mirror/link_fences.h"
#include "broker/net/api.h"
#include "broker/net/request_metrics.h"

namespace farshore::broker {
namespace {

using Code = kafka::ErrorCode;
using Request = kafka::AlterConfigsRequest;
using Response = kafka::AlterConfigsResponse;

constexpr Duration kAlterFenceLimit = seconds(30);  // to be let in beside a change of the link's fence

Refusal plan_all(const TopicImage& topic, const Request::AlterConfigsResource& asked,
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
  Services& services = context.services;
  Response response;
  Repeats<std::pair<int8_t, std::string_view>> repeats;
  for (const auto& asked : request.resources) repeats.add({asked.resource_type, asked.resource_name});
  LinkFences::Entered writes =
      co_await services.link_fences.write(context.client_id, services.env.in(kAlterFenceLimit));
  TurnBudget turn(services.env);
  for (const auto& asked : request.resources) {
    if (turn.spend(kListElementWork)) co_await turn.next_turn();
    const std::pair<int8_t, std::string_view> resource(asked.resource_type, asked.resource_name);
    if (!repeats.first(resource)) continue;
    ImagePtr image = services.metadata.image();
    const TopicImage* topic = image->topic(asked.resource_name);
    MetadataManager::ConfigChanges changes;
    Refusal refusal = writes.refusal;
    if (!refusal)
      refusal = check_changeable(asked.resource_type, asked.resource_name, repeats.repeated(resource), topic);
    if (!refusal) refusal = plan_all(*topic, asked, changes);
    if (!refusal && !request.validate_only && !changes.empty())
      refusal = co_await change_configs(services, topic->id, std::move(changes));
    auto& to = response.responses.emplace_back();
    to.resource_type = asked.resource_type;
    to.resource_name = asked.resource_name;
    to.error_message.reset();
    if (!refusal) continue;
    services.metrics.error(refusal.code);
    to.error_code = static_cast<int16_t>(refusal.code);
    to.error_message = std::move(refusal.message);
  }
  co_return response;
}

ApiEntry alter_configs_api() {
  return api<handle_alter_configs>("AlterConfigs", {0, 2}, {kTopicAlterConfigs, kClusterAlterConfigs});
}

}  // namespace farshore::broker
