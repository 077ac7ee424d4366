// IncrementalAlterConfigs 0-1 (KIP-339), of topics. Broker configs are static: they are refused.
#include <algorithm>
#include <set>

#include "broker/handlers/internal/config_resource.h"
#include "broker/handlers/internal/entries.h"
#include "broker/handlers/services.h"
#include "broker/metadata/metadata.h"
#include "broker/metadata/refusal.h"
#include "broker/metadata/topic_config.h"
#include "broker/net/api.h"
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

}  // namespace

Task<Result<Response>> handle_incremental_alter_configs(RequestContext& context, Request request) {
  return alter_resources(context.services, context.client_id, std::move(request), plan);
}

ApiEntry incremental_alter_configs_api() {
  return api<handle_incremental_alter_configs>("IncrementalAlterConfigs", {0, 1},
                                               {kTopicAlterConfigs, kClusterAlterConfigs});
}

}  // namespace farshore::broker
