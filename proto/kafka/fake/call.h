// FakeCall: one request that FakeKafka received, and the response that is being written to it.
#pragma once

#include "proto/kafka/frame.h"

namespace farshore::kafka {

struct FakeCall {
  RequestFrame frame;
  Reader& body;
  Writer& out;

  int16_t key() const { return frame.api->key; }
  int16_t version() const { return frame.header.request_api_version; }
  void begin() { begin_response(out, *frame.api, version(), frame.header.correlation_id); }
  template <class Request>
  Request decode() {
    return Request::decode(body, version()).value();
  }
  template <class Response>
  void reply(const Response& response) {
    response.encode(out, version());
  }
};

}  // namespace farshore::kafka
