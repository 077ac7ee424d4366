// The settings of a broker's server. Kafka's names of the properties stand beside them.
#pragma once

#include <cstddef>

#include "base/net.h"
#include "base/time.h"

namespace farshore::broker {

struct ServerOptions {
  Endpoint listen;                       // listeners; port 0: a free one
  size_t request_bytes_max = 0;          // socket.request.max.bytes
  size_t queued_request_bytes_max = 0;   // queued.max.request.bytes: large requests under way, of all connections
  Duration idle_max{};                   // connections.max.idle.ms
  size_t queued_response_bytes_max = 0;  // queued.max.response.bytes: large responses being written, of all connections
  size_t connections_max = 0;            // max.connections, or what descriptors allow; more are refused
  size_t connections_per_ip_max = 0;     // max.connections.per.ip; more are refused
  double connection_rate_max = 0;        // max.connection.creation.rate, per second; more wait
  Duration write_max{};                  // socket.write.timeout.ms: of one write to a client that does not read
};

}  // namespace farshore::broker
