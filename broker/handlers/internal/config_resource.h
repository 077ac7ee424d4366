// ConfigResource: what a request about configs names: Kafka's types that this broker knows, and the rules that all
// changes of configs share.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/task.h"
#include "broker/handlers/internal/list_turn.h"
#include "broker/handlers/internal/repeats.h"
#include "broker/handlers/services.h"
#include "broker/metadata/metadata.h"
#include "broker/metadata/refusal.h"
#include "broker/mirror/link_fences.h"
#include "broker/net/request_metrics.h"

namespace farshore::broker {

inline constexpr int8_t kTopicResource = 2, kBrokerResource = 4;

// What must be right of a resource before its configs are looked at: it is a topic that exists (`topic`: found there),
// and the request names it once.
Refusal check_changeable(int8_t type, const std::string& name, bool repeated, const TopicImage* topic);

// To be let in beside a change of the link's fence, to write, and to reach the open partitions: the requests bring no
// timeout of their own.
inline constexpr Duration kConfigChangeLimit = seconds(30);

// Makes the changes, and waits until the open partitions have them.
Task<Refusal> change_configs(Services& services, TopicId topic, MetadataManager::ConfigChanges changes);

// Serves AlterConfigs and IncrementalAlterConfigs: each resource is checked, planned, changed and answered, one after
// the other. `plan(services, topic, asked, changes)` says what one resource's request means for its topic: a Refusal,
// or `changes` is filled.
template <class Request, class Plan>
Task<Result<typename Request::Response>> alter_resources(Services& services, std::string client_id, Request request,
                                                         Plan plan) {
  typename Request::Response response;
  Repeats<std::pair<int8_t, std::string_view>> repeats;
  for (const auto& asked : request.resources) repeats.add({asked.resource_type, asked.resource_name});
  LinkFences::Entered writes =
      co_await services.link_fences.write(std::move(client_id), services.env.in(kConfigChangeLimit));
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

}  // namespace farshore::broker
