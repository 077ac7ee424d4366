// Turns a handler into an entry of the API table. At the end of the handler's file:
//
//   Task<Result<kafka::ProduceResponse>> handle_produce(RequestContext& context, kafka::ProduceRequest request);
//   ApiEntry produce_api() { return api<handle_produce>(3, 13, "Produce"); }
//
// and one line in api_table.cc. Nothing else knows the handler: no header per API.
#pragma once

#include <utility>

#include "broker/net/handler.h"

namespace farshore::broker {

template <auto kHandle>
struct Served;

template <class Request, class Response, Task<Result<Response>> (*kHandle)(RequestContext&, Request)>
struct Served<kHandle> {
  static constexpr int16_t kKey = Request::kApiKey;

  static Task<Result<kafka::WireMessage>> run(RequestContext& context, kafka::Reader& body) {
    auto request = Request::decode(body, context.api_version);
    if (!request) co_return std::move(request).error().in("request body");
    auto response = co_await kHandle(context, std::move(*request));
    if (!response) co_return std::move(response).error();
    kafka::Writer writer;
    response->encode(writer, context.api_version);
    co_return writer.finish();
  }
};

// Versions are the ones that are really served; ApiVersions may show a lower minimum (see handlers/api_versions.cc).
template <auto kHandle>
ApiEntry api(int16_t min_version, int16_t max_version, const char* name) {
  ApiEntry entry;
  entry.key = Served<kHandle>::kKey;
  entry.min_version = min_version;
  entry.max_version = max_version;
  entry.name = name;
  entry.private_api = entry.key >= kPrivateApiKeysFrom;
  entry.handler = &Served<kHandle>::run;
  return entry;
}

}  // namespace farshore::broker
