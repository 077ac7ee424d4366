#include "broker/handlers/internal/config_resource.h"

#include <utility>

#include "broker/metadata/topic_name.h"
#include "broker/partitions/partition_table.h"

namespace farshore::broker {
namespace {

using Code = kafka::ErrorCode;

}  // namespace

Refusal check_changeable(int8_t type, const std::string& name, bool repeated, const TopicImage* topic) {
  if (repeated) return {Code::kInvalidRequest, "a resource is named twice in this request"};
  if (type == kBrokerResource)
    return {Code::kInvalidRequest, "broker configs are read from server.properties at the start, and not changed"};
  if (type != kTopicResource) return {Code::kInvalidRequest, "only topics (2) have configs that can be changed here"};
  if (name.empty()) return {Code::kInvalidRequest, "there are no defaults of all topics that can be changed here"};
  if (auto illegal = check_topic_syntax(name)) return illegal;
  if (!topic) return {Code::kUnknownTopicOrPartition, "there is no topic " + name};
  return {};
}

Task<Refusal> change_configs(Services& services, TopicId topic, MetadataManager::ConfigChanges changes) {
  auto changed =
      co_await services.metadata.alter_configs(topic, std::move(changes), services.env.in(kConfigChangeLimit));
  Refusal refusal;
  if (changed)
    (void)co_await services.partitions.wait_for(services.metadata.image()->revision,
                                                services.env.in(kConfigChangeLimit));
  else
    refusal = {kafka_error(changed.error()), changed.error().to_string()};
  co_return refusal;
}

}  // namespace farshore::broker
