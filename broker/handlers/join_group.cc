// JoinGroup 0-9: answered when the generation is formed. KIP-394 (a member id first) from version 4 on, static members
// (KIP-345) from 5, reasons (KIP-800) from 8, skipped assignments (KIP-814) from 9.
#include "proto/kafka/messages/join_group.h"
#include "broker/groups/coordinator.h"
#include "broker/handlers/internal/entries.h"
#include "broker/handlers/services.h"
#include "broker/net/api.h"
#include "broker/net/request_metrics.h"

namespace farshore::broker {

Task<Result<kafka::JoinGroupResponse>> handle_join_group(RequestContext& context, kafka::JoinGroupRequest request) {
  JoinRequest join;
  join.member_id = std::move(request.member_id);
  join.instance_id = std::move(request.group_instance_id);
  join.client_id = context.client_id;
  join.client_host = "/" + context.connection.peer.host;  // as Kafka's tools show it
  join.session_timeout_ms = request.session_timeout_ms;
  join.rebalance_timeout_ms = context.api_version >= 1 ? request.rebalance_timeout_ms : request.session_timeout_ms;
  join.protocol_type = std::move(request.protocol_type);
  for (auto& each : request.protocols) {
    GroupProtocol protocol;
    protocol.name = std::move(each.name);
    protocol.metadata = std::move(each.metadata);
    join.protocols.push_back(std::move(protocol));
  }
  join.needs_known_member_id = context.api_version >= 4;
  join.can_skip_assignment = context.api_version >= 9;
  join.reason = request.reason.value_or("");
  request.protocols = {};
  JoinAnswer answer =
      co_await context.services.groups.join(std::move(request.group_id), std::move(join), &context.connection.closed);

  context.services.metrics.error(answer.error);
  kafka::JoinGroupResponse response;
  response.error_code = static_cast<int16_t>(answer.error);
  response.generation_id = answer.generation;
  response.protocol_type = std::move(answer.protocol_type);
  response.protocol_name = std::move(answer.protocol_name);
  if (!response.protocol_name && context.api_version < 7) response.protocol_name = "";
  response.leader = std::move(answer.leader);
  response.skip_assignment = answer.skip_assignment;
  response.member_id = std::move(answer.member_id);
  for (auto& each : answer.members) {
    auto& member = response.members.emplace_back();
    member.member_id = std::move(each.member_id);
    member.group_instance_id = std::move(each.instance_id);
    member.metadata = std::move(each.metadata);
  }
  co_return response;
}

ApiEntry join_group_api() { return api<handle_join_group>("JoinGroup", {0, 9}, {kGroupRead}); }

}  // namespace farshore::broker
