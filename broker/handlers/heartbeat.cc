// Heartbeat 0-4.
#include "proto/kafka/messages/heartbeat.h"
#include "broker/groups/coordinator.h"
#include "broker/handlers/internal/entries.h"
#include "broker/handlers/services.h"
#include "broker/net/api.h"
#include "broker/net/request_metrics.h"

namespace farshore::broker {

Task<Result<kafka::HeartbeatResponse>> handle_heartbeat(RequestContext& context, kafka::HeartbeatRequest request) {
  MemberIdentity member;
  member.member_id = std::move(request.member_id);
  member.instance_id = std::move(request.group_instance_id);
  const auto error = context.services.groups.heartbeat(request.group_id, member, request.generation_id);
  context.services.metrics.error(error);
  kafka::HeartbeatResponse response;
  response.error_code = static_cast<int16_t>(error);
  co_return response;
}

ApiEntry heartbeat_api() { return api<handle_heartbeat>("Heartbeat", {0, 4}, {kGroupRead}); }

}  // namespace farshore::broker
