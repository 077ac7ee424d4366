// InitProducerId 0-5, for idempotent producers. A new id with epoch 0 every time, as Kafka does without a transactional
// id: a producer that has used up its epochs, or lost its state, takes another id (KIP-360).
// A transactional id is refused: there is no transaction coordinator, and nothing may look as if there were one.
#include "proto/kafka/messages/init_producer_id.h"
#include "broker/handlers/internal/entries.h"
#include "broker/handlers/services.h"
#include "broker/metadata/producer_ids.h"
#include "broker/metadata/refusal.h"
#include "broker/net/api.h"
#include "broker/net/request_metrics.h"

namespace farshore::broker {
namespace {

constexpr Duration kReserveLimit = seconds(10);

}  // namespace

Task<Result<kafka::InitProducerIdResponse>> handle_init_producer_id(RequestContext& context,
                                                                    kafka::InitProducerIdRequest request) {
  Services& services = context.services;
  kafka::InitProducerIdResponse response;
  response.producer_epoch = -1;
  auto fail = [&](kafka::ErrorCode code) {
    services.metrics.error(code);
    response.error_code = static_cast<int16_t>(code);
  };
  if (request.transactional_id) {
    // Clients take this one as fatal. The response has no place for words.
    services.env.log().info("transactional producer refused",
                            {{"transactional_id", *request.transactional_id}, {"client", context.client_id}});
    fail(request.transactional_id->empty() ? kafka::ErrorCode::kInvalidRequest : kafka::ErrorCode::kUnsupportedVersion);
    co_return response;
  }
  // Kafka's rule: both or neither.
  if ((request.producer_id == -1) != (request.producer_epoch == -1)) {
    fail(kafka::ErrorCode::kInvalidRequest);
    co_return response;
  }
  auto id = co_await services.producer_ids.next(services.env.in(kReserveLimit));
  if (!id) {
    services.env.log().warn("no producer id", {{"error", id.error()}});
    // Retriable at every client, where asking again can help.
    fail(id.error() == ErrorCode::kResourceExhausted ? kafka::ErrorCode::kUnknownServerError
                                                     : kafka::ErrorCode::kCoordinatorLoadInProgress);
    co_return response;
  }
  response.producer_id = *id;
  response.producer_epoch = 0;
  co_return response;
}

ApiEntry init_producer_id_api() {
  return api<handle_init_producer_id>("InitProducerId", {0, 5}, {kClusterIdempotentWrite, kTransactionalIdWrite});
}

}  // namespace farshore::broker
