// SyncGroup 0-5: the leader brings the assignments; each member gets its own once they are committed to the log.
#include "proto/kafka/messages/sync_group.h"
#include "broker/groups/coordinator.h"
#include "broker/handlers/internal/entries.h"
#include "broker/handlers/services.h"
#include "broker/net/api.h"
#include "broker/net/request_metrics.h"

namespace farshore::broker {

Task<Result<kafka::SyncGroupResponse>> handle_sync_group(RequestContext& context, kafka::SyncGroupRequest request) {
  kafka::SyncGroupResponse response;
  // KIP-559: from version 5 on the member repeats the protocol that its JoinGroup answer named.
  if (context.api_version >= 5 && (!request.protocol_type || !request.protocol_name)) {
    context.services.metrics.error(kafka::ErrorCode::kInconsistentGroupProtocol);
    response.error_code = static_cast<int16_t>(kafka::ErrorCode::kInconsistentGroupProtocol);
    co_return response;
  }
  SyncRequest sync;
  sync.member.member_id = std::move(request.member_id);
  sync.member.instance_id = std::move(request.group_instance_id);
  sync.generation = request.generation_id;
  sync.protocol_type = std::move(request.protocol_type);
  sync.protocol_name = std::move(request.protocol_name);
  for (auto& each : request.assignments)
    sync.assignments.emplace_back(std::move(each.member_id), std::move(each.assignment));
  request.assignments = {};
  SyncAnswer answer =
      co_await context.services.groups.sync(std::move(request.group_id), std::move(sync), &context.connection.closed);
  context.services.metrics.error(answer.error);
  response.error_code = static_cast<int16_t>(answer.error);
  response.protocol_type = std::move(answer.protocol_type);
  response.protocol_name = std::move(answer.protocol_name);
  response.assignment = std::move(answer.assignment);
  co_return response;
}

ApiEntry sync_group_api() { return api<handle_sync_group>("SyncGroup", {0, 5}, {kGroupRead}); }

}  // namespace farshore::broker
