#include "base/real/http.h"

#include <algorithm>

namespace farshore {
namespace {

constexpr size_t kConnectionsMax = 64;
constexpr size_t kHeadBytesMax = 8 << 10;
constexpr seconds kHeadDeadline{10};  // from the first byte we wait for to the blank line; also between two requests
constexpr seconds kWriteDeadline{30};
constexpr milliseconds kAcceptPause{100};  // after an error that passes, such as no free descriptor

std::string_view status_text(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Status";
  }
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return result;
}

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
  while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
  return text;
}

struct Head {
  std::string method;
  HttpRequest request;
  bool keep_alive = true;
  int refused = 0;  // the status to refuse it with, and close
};

// `text`: request line and header lines, each ended by CR LF.
Head parse_head(std::string_view text) {
  Head head;
  auto refuse = [&head](int status) {
    head.refused = status;
    return head;
  };
  auto line_end = text.find("\r\n");
  std::string_view line = text.substr(0, line_end);
  auto first = line.find(' '), last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return refuse(400);
  head.method = line.substr(0, first);
  auto target = line.substr(first + 1, last - first - 1), version = line.substr(last + 1);
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return refuse(version.starts_with("HTTP/") ? 505 : 400);
  if (!target.starts_with('/') || target.find(' ') != std::string_view::npos) return refuse(400);
  head.keep_alive = version == "HTTP/1.1";
  auto question = std::min(target.find('?'), target.size());
  head.request.path = target.substr(0, question);
  if (question < target.size()) head.request.query = target.substr(question + 1);
  for (size_t at = line_end + 2; at < text.size();) {
    auto end = std::min(text.find("\r\n", at), text.size());
    auto header = text.substr(at, end - at);
    at = end + 2;
    auto colon = header.find(':');
    if (colon == std::string_view::npos || colon == 0) return refuse(400);
    auto name = lower(header.substr(0, colon));
    auto value = lower(trimmed(header.substr(colon + 1)));
    if (name == "connection" && value.find("close") != std::string::npos) head.keep_alive = false;
    if (name == "connection" && value.find("keep-alive") != std::string::npos) head.keep_alive = true;
    if (name == "transfer-encoding" || (name == "content-length" && value != "0")) return refuse(400);
  }
  return head;
}

std::string format(const HttpResponse& response, bool with_body, bool keep_alive) {
  std::string text = "HTTP/1.1 " + std::to_string(response.status) + " " + std::string(status_text(response.status));
  text += "\r\nContent-Type: " + response.content_type;
  text += "\r\nContent-Length: " + std::to_string(response.body.size());
  text += "\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff";
  if (response.status == 405) text += "\r\nAllow: GET, HEAD";
  text += keep_alive ? "\r\nConnection: keep-alive\r\n\r\n" : "\r\nConnection: close\r\n\r\n";
  if (with_body) text += response.body;
  return text;
}

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
  std::string buffer;
  for (bool keep_alive = true; keep_alive;) {
    auto text = co_await read_head(*stream, buffer);
    if (!text && !(text.error() == ErrorCode::kResourceExhausted)) co_return;
    Head head;
    if (text)
      head = parse_head(*text);
    else
      head.refused = 431;
    keep_alive = head.keep_alive && head.refused == 0;
    HttpResponse response = head.refused != 0 ? plain(head.refused, std::string(status_text(head.refused)))
                                              : answer(head.method, head.request);
    std::string out = format(response, head.method != "HEAD", keep_alive);
    ConstBytes piece = as_bytes(out);
    auto written = co_await stream->write(ConstBytesList(&piece, 1), env_.in(kWriteDeadline));
    if (!written) co_return;
  }
}

// The next head of `stream`, without its blank line; what follows stays in `buffer`.
Task<Result<std::string>> HttpServer::read_head(Stream& stream, std::string& buffer) {
  Deadline deadline = env_.in(kHeadDeadline);
  for (;;) {
    auto end = buffer.find("\r\n\r\n");
    if (end <= kHeadBytesMax) {  // npos is not
      std::string head = buffer.substr(0, end + 2);
      buffer.erase(0, end + 4);
      co_return head;
    }
    if (buffer.size() > kHeadBytesMax) co_return Error(ErrorCode::kResourceExhausted, "header larger than 8 KiB");
    size_t before = buffer.size();
    buffer.resize(before + (4 << 10));
    auto room = std::as_writable_bytes(std::span(buffer.data() + before, buffer.size() - before));
    auto n = co_await stream.read_some(room, 1, deadline);
    buffer.resize(before + (n ? *n : 0));
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
    response.body = render_metrics(metrics);
    return response;
  });
  server.route("/healthz", [](const HttpRequest&) { return plain(200, "ok"); });
  server.route("/readyz", [ready = std::move(ready)](const HttpRequest&) {
    auto status = ready();
    return status ? plain(200, "ready") : plain(503, "not ready: " + status.error().to_string());
  });
}

}  // namespace farshore
