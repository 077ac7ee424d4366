#include "tests/bench/tcp_load.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

namespace farshore::bench {

namespace {

constexpr size_t kReadBytes = 1 << 20;
constexpr size_t kDistinctBytes = 64 << 20;  // as much as the prebuilt batches of the producer, so no cache helps

Error failed(std::string_view what) {
  return Error(ErrorCode::kUnavailable, std::string(what) + ": " + strerror(errno));
}

struct Sockets {
  std::vector<int> fds;
  ~Sockets() {
    for (int fd : fds) ::close(fd);
  }
};

sockaddr_in address_of(const Endpoint& endpoint) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(endpoint.port);
  ::inet_pton(AF_INET, endpoint.host.c_str(), &address.sin_addr);
  return address;
}

Status send_all(int fd, const std::byte* bytes, size_t size) {
  while (size > 0) {
    ssize_t n = ::send(fd, bytes, size, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failed("sending");
    bytes += n;
    size -= static_cast<size_t>(n);
  }
  return ok();
}

}  // namespace

Status pour(const Endpoint& to, uint64_t bytes, int connections, size_t write_bytes) {
  Sockets sockets;
  auto address = address_of(to);
  for (int i = 0; i < connections; ++i) {
    sockets.fds.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (::connect(sockets.fds.back(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
      return failed("connecting to " + to.to_string());
  }
  std::vector<std::byte> data(kDistinctBytes);
  for (size_t i = 0; i < data.size(); ++i) data[i] = static_cast<std::byte>(i * 2654435761u >> 24);
  for (uint64_t sent = 0, turn = 0; sent < bytes; ++turn) {
    size_t size = std::min<uint64_t>(write_bytes, bytes - sent);
    size_t from = sent % (kDistinctBytes - write_bytes);
    FARSHORE_CHECK(send_all(sockets.fds[turn % sockets.fds.size()], data.data() + from, size));
    sent += size;
  }
  return ok();
}

Result<uint64_t> drain(const Endpoint& at, int connections) {
  Sockets sockets;
  sockets.fds.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int listener = sockets.fds.front();
  auto address = address_of(at);
  socklen_t length = sizeof address;
  if (::bind(listener, reinterpret_cast<sockaddr*>(&address), length) != 0 || ::listen(listener, 16) != 0 ||
      ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length) != 0)
    return failed("listening on " + at.to_string());
  std::printf("ready: drain %s:%d\n", at.host.c_str(), ntohs(address.sin_port));
  std::fflush(stdout);
  std::vector<pollfd> open;
  for (int i = 0; i < connections; ++i) {
    sockets.fds.push_back(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
    open.push_back({sockets.fds.back(), POLLIN, 0});
  }
  std::vector<std::byte> into(kReadBytes);
  uint64_t total = 0;
  while (!open.empty()) {
    if (::poll(open.data(), open.size(), -1) < 0) continue;
    for (size_t i = 0; i < open.size();) {
      ssize_t n = open[i].revents ? ::recv(open[i].fd, into.data(), into.size(), MSG_DONTWAIT) : -1;
      if (n > 0) total += static_cast<uint64_t>(n);
      const bool ended = n == 0 || (n < 0 && open[i].revents && errno != EAGAIN && errno != EINTR);
      if (ended)
        open.erase(open.begin() + static_cast<std::ptrdiff_t>(i));
      else
        ++i;
    }
  }
  return total;
}

}  // namespace farshore::bench
