// Turns a handler into an entry of the ApiTable. At the end of the handler's file:
//
//   Task<Result<kafka::ProduceResponse>> handle_produce(RequestContext& context, kafka::ProduceRequest request);
//   ApiEntry produce_api() { return api<handle_produce>("Produce", {3, 13}, {kTopicWrite}); }
//
// and one line in handlers/internal/entries.h and in handlers/api_table.cc. Nothing else names the handler.
#pragma once

#include <utility>

#include "broker/net/api_table.h"
#include "broker/net/request_context.h"

namespace farshore::broker {

// True for requests whose records are views into the frame. Their handlers give the frame back themselves, before they
// hold their answer back. All other requests are copies when they are decoded, and need their frame no longer: they may
// wait for as long as their client wants, and others need its memory.
template <class Request>
inline constexpr bool kHasViews = false;

template <auto kHandle>
struct Served;

template <class Request, class Response, Task<Result<Response>> (*kHandle)(RequestContext&, Request)>
struct Served<kHandle> {
  static constexpr int16_t kKey = Request::kApiKey;

  static Task<Result<kafka::WireMessage>> run(RequestContext& context, kafka::Reader& body) {
    auto request = Request::decode(body, context.api_version);
    if (!request) co_return std::move(request).error().in("request body");
    if constexpr (!kHasViews<Request>) context.release_frame();
    auto response = co_await kHandle(context, std::move(*request));
    if (!response) co_return std::move(response).error();
    kafka::Writer writer;
    response->encode(writer, context.api_version);
    co_return writer.finish();
  }
};

// `versions`: those that are really served. ApiVersions may list a lower minimum (handlers/api_versions.cc).
template <auto kHandle>
ApiEntry api(const char* name, ApiVersionRange versions, Authorization authorization) {
  return ApiEntry(Served<kHandle>::kKey, name, versions, std::move(authorization), &Served<kHandle>::run);
}

}  // namespace farshore::broker
