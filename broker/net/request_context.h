// RequestContext and ConnectionState: the arguments of a handler besides the request.
#pragma once

#include <functional>
#include <string>

#include "base/event.h"
#include "base/net.h"
#include "base/slab.h"
#include "base/time.h"
#include "proto/kafka/wire.h"

namespace farshore::broker {

struct Services;  // broker/handlers/services.h; this room only passes it on

// Lives as long as its connection.
struct ConnectionState {
  explicit ConnectionState(Reactor& reactor) : closed(reactor) {}
  uint64_t id = 0;
  Endpoint peer;
  std::string software_name, software_version;  // from ApiVersions; private APIs are listed only to "farshore"
  std::string principal = "User:ANONYMOUS";
  // Closed when the client is gone or the broker stops. A handler that holds its response back (a long poll) waits for
  // this too, and then gives up.
  Notifier closed;
};

// One request. The frame, and every view into it that the decoded request holds, is valid until the response is
// written (or release_frame()), and no longer, even for the holder of a slice: the connection reuses its buffers.
struct RequestContext {
  RequestContext(Services& s, ConnectionState& c) : services(s), connection(c) {}
  Services& services;
  ConnectionState& connection;
  int16_t api_key = 0, api_version = 0;
  int32_t correlation_id = 0;
  std::string client_id;
  SlabRef frame;           // the request's bytes: `records` views can be shared as slices of it (kHasViews in api.h)
  size_t frame_bytes = 0;  // how many it had
  MonoTime received;
  bool no_response = false;         // set by Produce with acks=0
  std::function<void()> give_back;  // by the connection: the frame's memory
  // For a handler that holds its answer back, and uses no view into the frame any more: others may have its memory.
  void release_frame() {
    frame = SlabRef();
    if (give_back) give_back();
  }
  // The slice of `frame` that `view`, which lies in it, covers.
  Slice slice_of(ConstBytes view) const;
};

}  // namespace farshore::broker
