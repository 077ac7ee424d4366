// IncrementalAlterConfigs 0-1 (KIP-339), of topics. Broker configs are static: they are refused.
#include <algorithm>
#include <set>

#include "broker/handlers/internal/config_resource.h"
#include "broker/handlers/internal/entries.h"
#include "broker/handlers/internal/list_turn.h"
#include "broker/handlers/internal/repeats.h"
#include "broker/handlers/services.h"
#include "broker/metadata/metadata.h"
#include "broker/metadata/refusal.h"
#include "broker/metadata/topic_config.h"
#include "broker/mirror/link_fences.h"
#include "broker/net/api.h"
#include "broker/net/request_metrics.h"
#include "proto/kafka/messages/incremental_alter_configs.h"

namespace farshore::broker {
namespace {

using Code = kafka::ErrorCode;
using Request = kafka::IncrementalAlterConfigsRequest;
using Response = kafka::IncrementalAlterConfigsResponse;

enum Operation : int8_t { kSet = 0, kDelete = 1, kAppend = 2, kSubtract = 3 };

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> items;
  for (size_t at = 0; at <= text.size();) {
    size_t comma = std::min(text.find(',', at), text.size());
    std::string item = text.substr(at, comma - at);
    item.erase(0, item.find_first_not_of(' '));
    if (auto last = item.find_last_not_of(' '); last != std::string::npos) item.resize(last + 1);
    if (!item.empty()) items.push_back(std::move(item));
    at = comma + 1;
  }
  return items;
}

std::string change_list(const std::string& now, const std::string& by, Operation operation) {
  std::vector<std::string> items = split(now);
  for (auto& item : split(by)) {
    auto it = std::find(items.begin(), items.end(), item);
    if (operation == kSubtract && it != items.end()) items.erase(it);
    if (operation == kAppend && it == items.end()) items.push_back(std::move(item));
  }
  std::string text;
  for (const auto& item : items) text += (text.empty() ? "" : ",") + item;
  return text;
}

// What one resource's request means for `topic`. `changes` is filled.
Refusal plan(const Services& services, const TopicImage& topic, const Request::AlterConfigsResource& asked,
             MetadataManager::ConfigChanges& changes) {
  std::set<std::string_view> named;
  for (const auto& config : asked.configs) {
    if (!named.insert(config.name).second)
      return {Code::kInvalidRequest, "config " + config.name + " is changed twice in this request"};
    auto operation = static_cast<Operation>(config.config_operation);
    if (operation < kSet || operation > kSubtract)
      return {Code::kInvalidRequest, "there is no operation " + std::to_string(config.config_operation) +
                                         " (0 set, 1 delete, 2 append, 3 subtract)"};
    if (operation == kDelete) {  // Kafka's rule: what is not set is deleted already, and be it unknown
      changes[config.name] = std::nullopt;
      continue;
    }
    if (!config.value) return {Code::kInvalidRequest, "config " + config.name + " has no value"};
    std::string value = trimmed_config(*config.value);
    if (operation != kSet) {
      const auto type = topic_config_type(config.name);
      if (type && *type != ConfigType::kList)
        return {Code::kInvalidConfig, "config " + config.name + " is no list: nothing can be added or taken away"};
      if (type && operation == kAppend && value.empty())
        return {Code::kInvalidConfig, "nothing is added to config " + config.name + ": the value is empty"};
      if (type) value = change_list(topic_config(services.config, topic.configs, config.name), value, operation);
    }
    if (auto checked = check_topic_config(config.name, value); !checked)
      return {Code::kInvalidConfig, checked.error().detail};
    changes[config.name] = std::move(value);
  }
  return {};
}

constexpr Duration kFenceLimit = seconds(30);  // to be let in beside a change of the link's fence

}  // namespace

Task<Result<Response>> handle_incremental_alter_configs(RequestContext& context, Request request) {
  Services& services = context.services;
  Response response;
  Repeats<std::pair<int8_t, std::string_view>> repeats;
  for (const auto& asked : request.resources) repeats.add({asked.resource_type, asked.resource_name});
  LinkFences::Entered writes = co_await services.link_fences.write(context.client_id, services.env.in(kFenceLimit));
  TurnBudget turn(services.env);
  for (const auto& asked : request.resources) {
    if (turn.spend(kListElementWork)) co_await turn.next_turn();
    const std::pair<int8_t, std::string_view> resource(asked.resource_type, asked.resource_name);
    if (!repeats.first(resource)) continue;
    Refusal refusal;
    ImagePtr image = services.metadata.image();
    const TopicImage* topic = image->topic(asked.resource_name);
    MetadataManager::ConfigChanges changes;
    refusal = writes.refusal;
    if (!refusal)
      refusal = check_changeable(asked.resource_type, asked.resource_name, repeats.repeated(resource), topic);
    if (!refusal) refusal = plan(services, *topic, asked, changes);
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

ApiEntry incremental_alter_configs_api() {
  return api<handle_incremental_alter_configs>("IncrementalAlterConfigs", {0, 1},
                                               {kTopicAlterConfigs, kClusterAlterConfigs});
}

}  // namespace farshore::broker
