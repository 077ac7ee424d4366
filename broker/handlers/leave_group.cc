// LeaveGroup 0-5: one member, or (3+, KIP-345) several, by member id or by instance id alone.
#include "proto/kafka/messages/leave_group.h"
#include "broker/groups/coordinator.h"
#include "broker/handlers/internal/entries.h"
#include "broker/handlers/services.h"
#include "broker/net/api.h"
#include "broker/net/request_metrics.h"

namespace farshore::broker {

Task<Result<kafka::LeaveGroupResponse>> handle_leave_group(RequestContext& context, kafka::LeaveGroupRequest request) {
  std::vector<MemberIdentity> members;
  if (context.api_version < 3) {
    members.emplace_back().member_id = std::move(request.member_id);
  } else {
    for (const auto& each : request.members) {
      auto& member = members.emplace_back();
      member.member_id = each.member_id;
      member.instance_id = each.group_instance_id;
      member.reason = each.reason.value_or("");
    }
  }
  auto answer = context.services.groups.leave(request.group_id, members);
  kafka::LeaveGroupResponse response;
  if (context.api_version < 3 && answer.error == kafka::ErrorCode::kNone) answer.error = answer.members.at(0);
  context.services.metrics.error(answer.error);
  response.error_code = static_cast<int16_t>(answer.error);
  if (context.api_version < 3 || answer.error != kafka::ErrorCode::kNone) co_return response;
  for (size_t i = 0; i < members.size(); ++i) {
    auto& member = response.members.emplace_back();
    member.member_id = std::move(request.members[i].member_id);
    member.group_instance_id = std::move(request.members[i].group_instance_id);
    member.error_code = static_cast<int16_t>(answer.members[i]);
    context.services.metrics.error(answer.members[i]);
  }
  co_return response;
}

ApiEntry leave_group_api() { return api<handle_leave_group>("LeaveGroup", {0, 5}, {kGroupRead}); }

}  // namespace farshore::broker
