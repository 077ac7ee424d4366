#include "base/http/server.h"

#include "base/http/internal/codec.h"
#include "base/http/metrics_text.h"
#include "base/http/process_metrics.h"

namespace farshore {
namespace {

constexpr size_t kConnectionsMax = 64;
constexpr size_t kHeadBytesMax = 8 << 10;
constexpr seconds kHeadDeadline{10};  // from the first byte we wait for to the blank line; also between two requests
constexpr seconds kWriteDeadline{30};
constexpr milliseconds kAcceptPause{100};  // after an error that passes, such as no free descriptor

HttpResponse plain(int status, std::string body) {
  HttpResponse response;
  response.status = status;
  response.body = std::move(body);
  response.body.push_back('\n');
  return response;
}

}  // namespace

Task<Status> HttpServer::start(Endpoint at) {
  ensure(!listener_, "a server starts once");
  CO_TRY(listener_, co_await env_.network().listen(std::move(at)));
  spawn(gate_, "http accept", accept_all());
  co_return ok();
}

Task<void> HttpServer::stop() {
  if (listener_) listener_->close();
  for (auto* connection : connections_) connection->close();
  co_await gate_.close();
}

Task<void> HttpServer::accept_all() {
  for (;;) {
    auto stream = co_await listener_->accept();
    if (stream) {
      // Beyond the limit a connection is closed at once: what watches us comes again.
      if (connections_.size() < kConnectionsMax) spawn(gate_, "http connection", serve(std::move(*stream)));
      continue;
    }
    if (stream.error() == ErrorCode::kClosed) co_return;
    env_.log().warn("http: cannot accept a connection", {{"error", stream.error()}});
    co_await env_.sleep(kAcceptPause);
  }
}

Task<void> HttpServer::serve(std::unique_ptr<Stream> stream) {
  struct Listed {  // so that stop() can close it
    Listed(std::set<Stream*>& s, Stream* c) : set(s), connection(c) { set.insert(c); }
    Listed(const Listed&) = delete;
    ~Listed() { set.erase(connection); }
    std::set<Stream*>& set;
    Stream* connection;
  };
  Listed listed(connections_, stream.get());
  std::string received;
  for (bool keep_alive = true; keep_alive;) {
    auto request = co_await read_request(*stream, received);
    if (!request) co_return;
    const int refused = request->refused_status;
    keep_alive = request->keep_alive && refused == 0;
    HttpResponse response =
        refused != 0 ? plain(refused, http::reason_of(refused)) : answer(request->method, request->request);
    std::string out = http::encode(response, request->method != "HEAD", keep_alive);
    ConstBytes piece = as_bytes(out);
    auto written = co_await stream->write(ConstBytesList(&piece, 1), env_.in(kWriteDeadline));
    if (!written) co_return;
  }
}

Task<Result<http::ParsedRequest>> HttpServer::read_request(Stream& stream, std::string& received) {
  const Deadline deadline = env_.in(kHeadDeadline);
  http::RequestDecoder decoder(kHeadBytesMax);
  for (;;) {
    received.erase(0, decoder.feed(received));
    if (decoder.done()) co_return decoder.request();
    const size_t before = received.size();
    received.resize(before + (4 << 10));
    auto room = std::as_writable_bytes(std::span(received.data() + before, received.size() - before));
    auto n = co_await stream.read_some(room, 1, deadline);
    received.resize(before + (n ? *n : 0));
    if (!n) co_return std::move(n).error();
  }
}

HttpResponse HttpServer::answer(const std::string& method, const HttpRequest& request) {
  if (method != "GET" && method != "HEAD") return plain(405, "only GET and HEAD are served here");
  auto found = routes_.find(request.path);
  if (found != routes_.end()) return found->second(request);
  std::string paths;
  for (const auto& [path, handler] : routes_) paths += " " + path;
  return plain(404, "not here; there is:" + paths);
}

void add_process_routes(HttpServer& server, MetricRegistry& metrics, std::function<Status()> ready) {
  server.route("/metrics", [&metrics](const HttpRequest&) {
    HttpResponse response;
    response.content_type = "text/plain; version=0.0.4; charset=utf-8";
    response.body = render_metrics(metrics) + render_process_metrics();
    return response;
  });
  server.route("/healthz", [](const HttpRequest&) { return plain(200, "ok"); });
  server.route("/readyz", [ready = std::move(ready)](const HttpRequest&) {
    auto status = ready();
    return status ? plain(200, "ready") : plain(503, "not ready: " + status.error().to_string());
  });
}

}  // namespace farshore
