// The HTTP/1 text of requests and responses, by Boost.Beast. Reads and writes no socket. Beast is compiled in codec.cc
// alone. Source: RFC 9112.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/http/server.h"

namespace farshore::http {

// One request, as far as the server needs it.
struct ParsedRequest {
  std::string method;
  HttpRequest request;
  bool keep_alive = false;
  int refused_status = 0;  // not 0: answer with this status and close the connection
};

// Takes bytes as they arrive until one request's header is complete. A request with a body is refused: no route takes
// one. Make a new decoder for each request.
class RequestDecoder {
 public:
  explicit RequestDecoder(size_t header_bytes_max);
  ~RequestDecoder();
  // Consumes from the front of `bytes`, and returns how much. Call it until done().
  size_t feed(std::string_view bytes);
  bool done() const;
  const ParsedRequest& request() const;  // after done()

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// The whole response. `with_body`: false for HEAD, whose header is the one of GET.
std::string encode(const HttpResponse& response, bool with_body, bool keep_alive);
// "Not Found" for 404.
std::string reason_of(int status);

}  // namespace farshore::http
