// DescribeGroups 0-6. A group that does not exist is Dead without an error up to version 5, GROUP_ID_NOT_FOUND from 6.
#include "proto/kafka/messages/describe_groups.h"
#include "broker/groups/coordinator.h"
#include "broker/handlers/internal/authorized_operations.h"
#include "broker/handlers/internal/entries.h"
#include "broker/handlers/internal/list_turn.h"
#include "broker/handlers/internal/repeats.h"
#include "broker/handlers/services.h"
#include "broker/net/api.h"
#include "broker/net/request_metrics.h"

namespace farshore::broker {
namespace {

using Code = kafka::ErrorCode;

}  // namespace

Task<Result<kafka::DescribeGroupsResponse>> handle_describe_groups(RequestContext& context,
                                                                   kafka::DescribeGroupsRequest request) {
  kafka::DescribeGroupsResponse response;
  Repeats<std::string> repeats;
  TurnBudget turn(context.services.env);
  for (auto& id : request.groups) {
    if (turn.spend(kListElementWork)) co_await turn.next_turn();
    if (!repeats.first(id)) continue;
    auto described = context.services.groups.describe(id);
    auto& to = response.groups.emplace_back();
    if (described.error == Code::kGroupIdNotFound) {
      if (context.api_version >= 6) to.error_message = "Group " + id + " not found.";
      if (context.api_version < 6) described.error = Code::kNone;
    }
    context.services.metrics.error(described.error);
    to.error_code = static_cast<int16_t>(described.error);
    to.group_id = std::move(id);
    to.group_state = std::move(described.group.state);
    to.protocol_type = std::move(described.group.protocol_type);
    to.protocol_data = std::move(described.group.protocol);
    if (request.include_authorized_operations && described.error == Code::kNone)
      to.authorized_operations = kGroupOperations;
    for (auto& each : described.group.members) {
      auto& member = to.members.emplace_back();
      member.member_id = std::move(each.member_id);
      member.group_instance_id = std::move(each.instance_id);
      member.client_id = std::move(each.client_id);
      member.client_host = std::move(each.client_host);
      member.member_metadata = std::move(each.metadata);
      member.member_assignment = std::move(each.assignment);
    }
  }
  co_return response;
}

ApiEntry describe_groups_api() { return api<handle_describe_groups>("DescribeGroups", {0, 6}, {kGroupDescribe}); }

}  // namespace farshore::broker
