// FindCoordinator 0-6 (KIP-699: several keys from version 4 on). Groups: this broker, once __consumer_offsets exists.
// Transactions and share groups (KIP-932) are refused with the reason.
#include "proto/kafka/messages/find_coordinator.h"
#include "broker/groups/coordinator.h"
#include "broker/handlers/internal/entries.h"
#include "broker/handlers/internal/repeats.h"
#include "broker/handlers/services.h"
#include "broker/metadata/metadata.h"
#include "broker/net/api.h"
#include "broker/net/request_metrics.h"

namespace farshore::broker {
namespace {

using Code = kafka::ErrorCode;
constexpr int8_t kGroupKey = 0, kTransactionKey = 1;

Task<kafka::FindCoordinatorResponse::Coordinator> find_one(Services& services, int8_t key_type, std::string key) {
  kafka::FindCoordinatorResponse::Coordinator to;
  to.key = key;
  to.node_id = -1;
  to.port = -1;
  to.error_message = std::nullopt;
  Code error = Code::kInvalidRequest;
  if (key_type == kGroupKey) {
    error = co_await services.groups.find(std::move(key));
    if (error != Code::kNone) to.error_message = "the coordinator of this group is not available yet: try again";
  } else if (key_type == kTransactionKey) {
    // The one code that both Java's client and librdkafka take as final here: with others they ask again and again.
    error = Code::kTransactionalIdAuthorizationFailed;
    to.error_message = "this broker has no transactions";
  } else {
    to.error_message = "this broker coordinates consumer groups only (key type 0)";
  }
  if (error == Code::kNone) {
    ImagePtr image = services.metadata.image();
    for (const auto& broker : image->brokers) {
      if (broker.id != services.metadata.self()) continue;
      to.node_id = broker.id.value();
      to.host = broker.advertised.host;
      to.port = broker.advertised.port;
    }
    if (to.node_id < 0) error = Code::kCoordinatorNotAvailable;
  }
  services.metrics.error(error);
  to.error_code = static_cast<int16_t>(error);
  co_return to;
}

}  // namespace

Task<Result<kafka::FindCoordinatorResponse>> handle_find_coordinator(RequestContext& context,
                                                                     kafka::FindCoordinatorRequest request) {
  kafka::FindCoordinatorResponse response;
  if (context.api_version >= 4) {
    Repeats<std::string> repeats;
    for (auto& key : request.coordinator_keys) {
      if (!repeats.first(key)) continue;
      auto found = co_await find_one(context.services, request.key_type, std::move(key));
      if (found.error_code == 0) found.error_message = "";
      response.coordinators.push_back(std::move(found));
    }
    co_return response;
  }
  auto found = co_await find_one(context.services, request.key_type, std::move(request.key));
  response.error_code = found.error_code;
  response.error_message = std::move(found.error_message);
  if (found.error_code == 0) response.error_message = "NONE";  // Kafka's word
  response.node_id = found.node_id;
  response.host = std::move(found.host);
  response.port = found.port;
  co_return response;
}

ApiEntry find_coordinator_api() {
  return api<handle_find_coordinator>("FindCoordinator", {0, 6}, {kGroupDescribe, kTransactionalIdDescribe});
}

}  // namespace farshore::broker
