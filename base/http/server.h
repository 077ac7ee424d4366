// The HTTP edge of a process: a few GET routes (metrics, health, a status page) on the Env's network. HTTP/1.0 and 1.1,
// GET and HEAD, no request bodies. Executor: the Env's. Limits and deadlines: server.cc.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "base/env.h"
#include "base/gate.h"

namespace farshore {

struct HttpRequest {
  std::string path;   // as sent, without the query
  std::string query;  // after '?', as sent
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
};

namespace http {
struct ParsedRequest;
}

class HttpServer {
 public:
  using Handler = std::function<HttpResponse(const HttpRequest&)>;  // answers from memory, at once

  explicit HttpServer(Env& env) : env_(env), gate_(env) {}
  // Before start(). A path is matched whole.
  void route(std::string path, Handler handler) { routes_[std::move(path)] = std::move(handler); }
  // As Network::listen().
  Task<Status> start(Endpoint at);
  Endpoint local() const { return listener_->local(); }  // after start()
  // Closes the listener and all connections; resolves when their work has ended. Idempotent.
  Task<void> stop();

 private:
  Task<void> accept_all();
  Task<void> serve(std::unique_ptr<Stream> stream);
  // The next request of `stream`; what follows it stays in `received`.
  Task<Result<http::ParsedRequest>> read_request(Stream& stream, std::string& received);
  HttpResponse answer(const std::string& method, const HttpRequest& request);

  Env& env_;
  std::map<std::string, Handler> routes_;
  std::unique_ptr<Listener> listener_;
  std::set<Stream*> connections_;
  Gate gate_;
};

// /metrics (Prometheus text format), /healthz (200 while the process answers), /readyz (200 when `ready` is ok; 503 and
// why otherwise).
void add_process_routes(HttpServer& server, MetricRegistry& metrics, std::function<Status()> ready);

}  // namespace farshore
