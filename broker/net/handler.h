// How a request reaches its handler. One table (api_table.cc) feeds both dispatch and ApiVersions: what is not in it is
// not served. A handler is a coroutine `Task<Result<Response>> handle_x(RequestContext&, XRequest)` in its own file
// under broker/handlers/ (groups/, mirror/), made an ApiEntry by api<handle_x>() of broker/net/api.h; an Error (not a
// response with error codes) closes the connection, with a metric and a log line.
#pragma once

#include <string>
#include <vector>

#include "base/event.h"
#include "broker/services.h"
#include "proto/kafka/wire.h"

namespace farshore::broker {

inline constexpr int16_t kPrivateApiKeysFrom = 10000;

// Lives as long as its connection.
struct ConnectionState {
  explicit ConnectionState(Reactor& reactor) : closed(reactor) {}
  uint64_t id = 0;
  Endpoint peer;
  std::string software_name, software_version;  // from ApiVersions; private APIs are listed only to "farshore"
  std::string principal = "User:ANONYMOUS";
  // Closed when the client is gone or the broker stops: whoever holds a response back for long (a long poll) adds his
  // wait to it and gives up.
  Notifier closed;
};

// One request. The frame (and every view into it that the decoded request holds) is valid until the response is
// written, and not longer, even for who holds a slice of it: the connection reuses its buffers.
struct RequestContext {
  RequestContext(Services& s, ConnectionState& c) : services(s), connection(c) {}
  Services& services;
  ConnectionState& connection;
  int16_t api_key = 0, api_version = 0;
  int32_t correlation_id = 0;
  std::string client_id;
  SlabRef frame;  // the request's bytes: `records` views can be shared as slices of it
  MonoTime received;
  bool no_response = false;  // set by Produce with acks=0
  // The slice of `frame` that `view` (a ConstBytes inside it) covers.
  Slice slice_of(ConstBytes view) const;
};

using HandlerFunction = Task<Result<kafka::WireMessage>> (*)(RequestContext& context, kafka::Reader& body);

struct ApiEntry {
  int16_t key = 0, min_version = 0, max_version = 0;
  const char* name = "";
  bool private_api = false;  // Farshore's own: key >= 10000, needs CLUSTER_ACTION once there are ACLs
  HandlerFunction handler = nullptr;
};

// Sorted by key. kafka::WireMessage is the response body (without header), encoded for context.api_version.
const std::vector<ApiEntry>& api_table();
const ApiEntry* find_api(int16_t key);

}  // namespace farshore::broker
