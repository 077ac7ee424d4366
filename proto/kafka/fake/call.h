// One request of FakeKafka, and where its answer goes.
#pragma once

#include "proto/kafka/fake/fake_kafka.h"

namespace farshore::kafka {

struct FakeKafka::Call {
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
};

}  // namespace farshore::kafka
