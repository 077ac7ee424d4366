#include "broker/net/request_metrics.h"

#include <string>

namespace farshore::broker {
namespace {

std::vector<double> second_bounds() {
  return {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 30};
}

}  // namespace

RequestMetrics::RequestMetrics(MetricRegistry& registry, const ApiTable& apis)
    : received_bytes(registry.counter("farshore_broker_received_bytes_total", "Request bytes, framing included.")),
      sent_bytes(registry.counter("farshore_broker_sent_bytes_total", "Response bytes, framing included.")),
      produced_bytes(
          registry.counter("farshore_broker_produced_bytes_total", "Record batch bytes appended for clients.")),
      fetched_bytes(registry.counter("farshore_broker_fetched_bytes_total", "Record batch bytes sent to consumers.")),
      connections(registry.gauge("farshore_broker_connections", "Open client connections.")),
      connections_accepted(
          registry.counter("farshore_broker_connections_accepted_total", "Client connections that were accepted.")),
      registry_(registry),
      table_(apis) {
  for (const ApiEntry& entry : table_.entries()) {
    MetricLabels labels = {{"api", entry.name}};
    Api api;
    api.requests = &registry.counter("farshore_broker_requests_total", "Requests answered.", labels);
    api.seconds = &registry.histogram("farshore_broker_request_seconds",
                                      "From the last byte of the request to the last byte of the response.",
                                      second_bounds(), labels);
    apis_.push_back(api);
  }
}

void RequestMetrics::served(const ApiEntry& entry, Duration took) {
  Api& api = apis_[table_.index(entry)];
  api.requests->add();
  api.seconds->observe(std::chrono::duration<double>(took).count());
}

void RequestMetrics::error(kafka::ErrorCode code) {
  if (code == kafka::ErrorCode::kNone) return;
  auto index = static_cast<size_t>(static_cast<uint8_t>(static_cast<int16_t>(code)));
  if (!errors_[index])
    errors_[index] = &registry_.counter("farshore_broker_response_errors_total", "Error codes in responses.",
                                        {{"code", std::string(kafka::error_name(code))}});
  errors_[index]->add();
}

void RequestMetrics::closed(const char* reason) {
  registry_
      .counter("farshore_broker_connections_ended_total", "Connections that the broker ended itself, by reason.",
               {{"reason", reason}})
      .add();
}

}  // namespace farshore::broker
