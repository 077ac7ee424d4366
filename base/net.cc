#include "base/net.h"

#include <algorithm>
#include <charconv>

namespace farshore {

std::string Endpoint::to_string() const {
  if (host.find(':') != std::string::npos) return "[" + host + "]:" + std::to_string(port);
  return host + ":" + std::to_string(port);
}

Result<Endpoint> Endpoint::parse(std::string_view text) {
  auto bad = [text](std::string_view why) {
    return Error(ErrorCode::kInvalidArgument,
                 "'" + std::string(text.substr(0, 256)) + "' is not host:port: " + std::string(why));
  };
  Endpoint endpoint;
  std::string_view port;
  if (text.starts_with('[')) {
    auto close = text.find(']');
    if (close == std::string_view::npos) return bad("the ']' after the IPv6 address is missing");
    endpoint.host = text.substr(1, close - 1);
    if (close + 1 >= text.size() || text[close + 1] != ':') return bad("':port' after ']' is missing");
    port = text.substr(close + 2);
  } else {
    auto colon = text.rfind(':');
    if (colon == std::string_view::npos) return bad("the port is missing");
    endpoint.host = text.substr(0, colon);
    if (endpoint.host.find(':') != std::string::npos) return bad("an IPv6 address is written [address]:port");
    port = text.substr(colon + 1);
  }
  if (endpoint.host.empty()) return bad("the host is missing (0.0.0.0 means all addresses of this machine)");
  if (endpoint.host.find_first_of(" \t\r\n/") != std::string::npos) return bad("the host contains a blank or a '/'");
  auto [end, failure] = std::from_chars(port.data(), port.data() + port.size(), endpoint.port);
  if (port.empty() || failure != std::errc() || end != port.data() + port.size())
    return bad("the port must be a number from 0 to 65535");
  return endpoint;
}

Result<std::vector<Endpoint>> parse_bootstrap(std::string_view text) {
  std::vector<Endpoint> endpoints;
  while (!text.empty()) {
    size_t comma = std::min(text.find(','), text.size());
    FARSHORE_TRY(auto endpoint, Endpoint::parse(text.substr(0, comma)));
    endpoints.push_back(std::move(endpoint));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  if (endpoints.empty()) return Error(ErrorCode::kInvalidArgument, "no address: give host:port[,host:port...]");
  return endpoints;
}

Task<Status> read_exact(Stream& stream, MutableBytes into, Deadline deadline) {
  while (!into.empty()) {
    CO_TRY(size_t n, co_await stream.read_some(into, into.size(), deadline));
    into = into.subspan(n);
  }
  co_return ok();
}

}  // namespace farshore
