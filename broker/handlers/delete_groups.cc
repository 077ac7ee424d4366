// DeleteGroups 0-2 (KIP-229): empty groups, with everything they committed.
#include "proto/kafka/messages/delete_groups.h"
#include "broker/groups/coordinator.h"
#include "broker/handlers/internal/entries.h"
#include "broker/handlers/internal/repeats.h"
#include "broker/handlers/services.h"
#include "broker/net/api.h"
#include "broker/net/request_metrics.h"

namespace farshore::broker {

Task<Result<kafka::DeleteGroupsResponse>> handle_delete_groups(RequestContext& context,
                                                               kafka::DeleteGroupsRequest request) {
  kafka::DeleteGroupsResponse response;
  Repeats<std::string> repeats;
  for (auto& group : request.groups_names) {
    if (!repeats.first(group)) continue;
    const auto error = co_await context.services.groups.delete_group(group);
    context.services.metrics.error(error);
    auto& result = response.results.emplace_back();
    result.group_id = std::move(group);
    result.error_code = static_cast<int16_t>(error);
  }
  co_return response;
}

ApiEntry delete_groups_api() { return api<handle_delete_groups>("DeleteGroups", {0, 2}, {kGroupDelete}); }

}  // namespace farshore::broker
