// DescribeCluster 0-2 (KIP-700, KIP-919). Brokers only: there are no separate controllers here.
#include "proto/kafka/messages/describe_cluster.h"
#include "broker/handlers/internal/authorized_operations.h"
#include "broker/handlers/internal/entries.h"
#include "broker/handlers/internal/partition_description.h"
#include "broker/handlers/services.h"
#include "broker/metadata/metadata.h"
#include "broker/net/api.h"
#include "broker/net/request_metrics.h"

namespace farshore::broker {
namespace {

constexpr int8_t kBrokerEndpoints = 1;

}  // namespace

Task<Result<kafka::DescribeClusterResponse>> handle_describe_cluster(RequestContext& context,
                                                                     kafka::DescribeClusterRequest request) {
  kafka::DescribeClusterResponse response;
  const ClusterImage& image = *context.services.metadata.image();
  if (request.endpoint_type != kBrokerEndpoints) {
    auto error = request.endpoint_type == 2 ? kafka::ErrorCode::kMismatchedEndpointType
                                            : kafka::ErrorCode::kUnsupportedEndpointType;
    context.services.metrics.error(error);
    response.error_code = static_cast<int16_t>(error);
    response.error_message = "only brokers (endpoint type 1) can be described here";
    co_return response;
  }
  response.cluster_id = image.cluster_id;
  response.controller_id = image.controller.value();
  for (const auto& broker : image.brokers) {
    auto& to = response.brokers.emplace_back();
    to.broker_id = broker.id.value();
    to.host = broker.advertised.host;
    to.port = broker.advertised.port;
    if (!broker.rack.empty()) to.rack = broker.rack;
  }
  if (request.include_cluster_authorized_operations) response.cluster_authorized_operations = kClusterOperations;
  co_return response;
}

ApiEntry describe_cluster_api() { return api<handle_describe_cluster>("DescribeCluster", {0, 2}, {kClusterDescribe}); }

}  // namespace farshore::broker
