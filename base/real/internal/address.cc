#include "base/real/internal/address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>

#include <cstring>
#include <system_error>

namespace farshore {
namespace {

// Blocks unless `host` is a numeric address.
Result<std::vector<Address>> look_up(const std::string& host, uint16_t port, int flags) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  int failure = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (failure != 0) {
    return Error(ErrorCode::kUnavailable,
                 "host " + host + ": " + (failure == EAI_SYSTEM ? system_reason(errno) : ::gai_strerror(failure)));
  }
  std::vector<Address> addresses;
  for (addrinfo* each = found; each; each = each->ai_next) {
    Address address;
    std::memcpy(&address.storage, each->ai_addr, each->ai_addrlen);
    address.length = each->ai_addrlen;
    addresses.push_back(address);
  }
  ::freeaddrinfo(found);
  return addresses;
}

}  // namespace

std::string system_reason(int number) { return std::error_code(number, std::system_category()).message(); }

Endpoint to_endpoint(const sockaddr_storage& address) {
  char text[INET6_ADDRSTRLEN] = {};
  Endpoint endpoint;
  if (address.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
    if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr))
      ::inet_ntop(AF_INET, v6.sin6_addr.s6_addr + 12, text, sizeof text);
    else
      ::inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
    endpoint.port = ntohs(v6.sin6_port);
  } else {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    ::inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
    endpoint.port = ntohs(v4.sin_port);
  }
  endpoint.host = text;
  return endpoint;
}

Task<Result<std::vector<Address>>> resolve(BlockingPool& names, Endpoint endpoint, Deadline deadline) {
  auto numeric = look_up(endpoint.host, endpoint.port, AI_NUMERICHOST);
  if (numeric) co_return numeric;
  auto job = [host = endpoint.host, port = endpoint.port] { return look_up(host, port, AI_ADDRCONFIG); };
  co_return co_await names.run(std::move(job), deadline);
}

}  // namespace farshore
