// ListGroups 0-5, filtered by state (4+, KIP-518) and type (5+, KIP-848: all of ours are "classic").
#include <algorithm>

#include "broker/groups/coordinator.h"
#include "broker/handlers/internal/entries.h"
#include "broker/handlers/services.h"
#include "broker/net/api.h"
#include "broker/net/request_metrics.h"
#include "proto/kafka/messages/list_groups.h"

namespace farshore::broker {
namespace {

constexpr std::string_view kClassic = "classic";

bool same_word(std::string_view asked, std::string_view word) {
  auto space = [](char c) { return c == ' ' || c == '\t'; };
  while (!asked.empty() && space(asked.front())) asked.remove_prefix(1);
  while (!asked.empty() && space(asked.back())) asked.remove_suffix(1);
  auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::equal(asked.begin(), asked.end(), word.begin(), word.end(),
                    [&](char a, char b) { return lower(a) == lower(b); });
}

bool matches(const std::vector<std::string>& filter, std::string_view word) {
  return filter.empty() ||
         std::any_of(filter.begin(), filter.end(), [&](const std::string& asked) { return same_word(asked, word); });
}

}  // namespace

Task<Result<kafka::ListGroupsResponse>> handle_list_groups(RequestContext& context, kafka::ListGroupsRequest request) {
  auto listed = context.services.groups.list();
  context.services.metrics.error(listed.error);
  kafka::ListGroupsResponse response;
  response.error_code = static_cast<int16_t>(listed.error);
  if (!matches(request.types_filter, kClassic)) co_return response;
  for (const Group* group : listed.groups) {
    const auto state = group_state_name(group->state());
    if (!matches(request.states_filter, state)) continue;
    auto& to = response.groups.emplace_back();
    to.group_id = group->id();
    to.protocol_type = group->protocol_type().value_or("");
    to.group_state = state;
    to.group_type = kClassic;
  }
  co_return response;
}

ApiEntry list_groups_api() { return api<handle_list_groups>("ListGroups", {0, 5}, {kClusterDescribe, kGroupDescribe}); }

}  // namespace farshore::broker
