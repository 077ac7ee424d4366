#include "base/real/tcp.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "base/real/internal/address.h"
#include "base/real/internal/socket.h"
#include "base/real/internal/tcp_stream.h"
#include "base/real/pool.h"

namespace farshore {
namespace {

constexpr int kBacklog = 1024;
constexpr int kUnsentBytesMax = 1 << 20;

class TcpListener final : public Listener {
 public:
  TcpListener(std::shared_ptr<Socket> socket, boost::asio::io_context& io, BlockingPool& files, Endpoint local)
      : socket_(std::move(socket)), io_(io), files_(files), local_(std::move(local)) {}
  ~TcpListener() override { close(); }

  Task<Result<std::unique_ptr<Stream>>> accept() override {
    auto socket = socket_;
    for (;;) {
      if (socket->dead()) co_return Error(ErrorCode::kClosed);
      sockaddr_storage address{};
      socklen_t length = sizeof address;
      int fd = ::accept4(socket->fd(), reinterpret_cast<sockaddr*>(&address), &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd >= 0) {
        set_socket_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
        // The kernel says "writable" while less than half of this is unsent, so a slow reader's progress is seen early
        // enough for a deadline. Without it, a third of the send buffer (megabytes) must be read first.
        set_socket_option(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, kUnsentBytesMax);
        auto accepted = std::make_shared<Socket>(socket->reactor(), io_, fd);
        std::unique_ptr<Stream> stream = make_tcp_stream(std::move(accepted), files_, to_endpoint(address));
        co_return stream;
      }
      switch (errno) {
        case EINTR:
        case ECONNABORTED:
        case EPROTO:
          continue;
        case EAGAIN:
          break;
        case EMFILE:
        case ENFILE:
        case ENOBUFS:
        case ENOMEM:
          co_return Error(ErrorCode::kResourceExhausted, "accepting a connection: " + system_reason(errno));
        default:
          co_return Error(ErrorCode::kUnavailable, "accepting a connection: " + system_reason(errno));
      }
      auto waited = co_await socket->ready(kRead, Deadline::never());
      if (!waited) co_return Error(ErrorCode::kClosed);
    }
  }
  Endpoint local() const override { return local_; }
  void close() override { socket_->kill(Error(ErrorCode::kClosed)); }

 private:
  std::shared_ptr<Socket> socket_;
  boost::asio::io_context& io_;
  BlockingPool& files_;
  Endpoint local_;
};

class TcpNetwork final : public Network {
 public:
  TcpNetwork(Reactor& reactor, boost::asio::io_context& io, BlockingPool& files, BlockingPool& names,
             TcpOptions options)
      : reactor_(reactor), io_(io), files_(files), names_(names), options_(options) {}

  Task<Result<std::unique_ptr<Stream>>> connect(Endpoint to, Deadline deadline) override {
    if (reactor_.dead()) co_return Error(ErrorCode::kClosed);
    std::string name = to.to_string();
    auto addresses = co_await resolve(names_, to, deadline);
    if (!addresses) co_return std::move(addresses).error().in("connecting to " + name);
    Error last(ErrorCode::kUnavailable, "the host has no address");
    for (size_t i = 0; i < addresses->size(); ++i) {
      // Each address has its share of the time that is left.
      Deadline share = deadline;
      if (!deadline.is_never()) {
        auto left = deadline.at() - reactor_.now();
        share = Deadline(reactor_.now() + left / static_cast<int64_t>(addresses->size() - i));
      }
      auto stream = co_await connect_one((*addresses)[i], to, share);
      if (stream) co_return stream;
      last = std::move(stream).error();
      if (last == ErrorCode::kClosed || deadline.passed(reactor_.now())) break;
    }
    co_return last.in("connecting to " + name);
  }

  Task<Result<std::unique_ptr<Listener>>> listen(Endpoint at) override {
    if (reactor_.dead()) co_return Error(ErrorCode::kClosed);
    std::string name = at.to_string();
    auto addresses = co_await resolve(names_, at, Deadline::never());
    if (!addresses)
      co_return Error(ErrorCode::kInvalidArgument, "listening on " + name + ": " + addresses.error().detail);
    // IPv4 first: "localhost" is taken for 127.0.0.1 by most clients.
    std::stable_sort(addresses->begin(), addresses->end(), [](const Address& a, const Address& b) {
      return (a.family() == AF_INET) > (b.family() == AF_INET);
    });
    Error last(ErrorCode::kInvalidArgument, "the host has no address");
    for (const auto& address : *addresses) {
      auto listener = listen_one(address);
      if (listener) co_return listener;
      last = std::move(listener).error();
      if (!(last == ErrorCode::kInvalidArgument)) break;
    }
    co_return last.in("listening on " + name);
  }

 private:
  Result<int> make_socket(const Address& address) {
    int fd = ::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
      ErrorCode code = errno == EAFNOSUPPORT ? ErrorCode::kInvalidArgument : ErrorCode::kResourceExhausted;
      return Error(code, system_reason(errno));
    }
    // Before connect and listen: they decide the window scale. An accepted socket inherits them.
    if (options_.send_bytes > 0) set_socket_option(fd, SOL_SOCKET, SO_SNDBUF, options_.send_bytes);
    if (options_.receive_bytes > 0) set_socket_option(fd, SOL_SOCKET, SO_RCVBUF, options_.receive_bytes);
    return fd;
  }

  Task<Result<std::unique_ptr<Stream>>> connect_one(Address address, Endpoint to, Deadline deadline) {
    auto fd = make_socket(address);
    if (!fd) co_return Error(ErrorCode::kUnavailable, fd.error().detail);
    set_socket_option(*fd, IPPROTO_TCP, TCP_NODELAY, 1);
    auto socket = std::make_shared<Socket>(reactor_, io_, *fd);
    int failure = ::connect(*fd, address.get(), address.length) == 0 ? 0 : errno;
    if (failure == EINPROGRESS) {
      auto waited = co_await socket->ready(kWrite, deadline);
      if (!waited) {
        socket->kill(Error(ErrorCode::kClosed));
        co_return std::move(waited).error();
      }
      socklen_t length = sizeof failure;
      failure = 0;
      if (::getsockopt(*fd, SOL_SOCKET, SO_ERROR, &failure, &length) != 0) failure = errno;
    }
    // A refused port of this machine that is in the ephemeral range can connect to itself.
    if (failure == 0 && connected_to_itself(*fd)) failure = ECONNREFUSED;
    if (failure != 0) {
      socket->kill(Error(ErrorCode::kClosed));
      co_return Error(ErrorCode::kUnavailable, system_reason(failure));
    }
    std::unique_ptr<Stream> stream = make_tcp_stream(std::move(socket), files_, std::move(to));
    co_return stream;
  }

  static bool connected_to_itself(int fd) {
    sockaddr_storage near{}, far{};
    socklen_t near_length = sizeof near, far_length = sizeof far;
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&near), &near_length) != 0) return false;
    if (::getpeername(fd, reinterpret_cast<sockaddr*>(&far), &far_length) != 0) return false;
    return to_endpoint(near) == to_endpoint(far);
  }

  Result<std::unique_ptr<Listener>> listen_one(const Address& address) {
    FARSHORE_TRY(int fd, make_socket(address));
    set_socket_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    sockaddr_storage bound{};
    socklen_t length = sizeof bound;
    if (::bind(fd, address.get(), address.length) != 0 || ::listen(fd, kBacklog) != 0 ||
        ::getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &length) != 0) {
      int failure = errno;
      ::close(fd);
      ErrorCode code = ErrorCode::kUnavailable;
      if (failure == EADDRINUSE) code = ErrorCode::kAlreadyExists;
      if (failure == EADDRNOTAVAIL || failure == EINVAL) code = ErrorCode::kInvalidArgument;
      if (failure == EACCES) code = ErrorCode::kPermissionDenied;
      return Error(code, system_reason(failure));
    }
    auto socket = std::make_shared<Socket>(reactor_, io_, fd);
    std::unique_ptr<Listener> listener =
        std::make_unique<TcpListener>(std::move(socket), io_, files_, to_endpoint(bound));
    return listener;
  }

  Reactor& reactor_;
  boost::asio::io_context& io_;
  BlockingPool &files_, &names_;
  TcpOptions options_;
};

}  // namespace

std::unique_ptr<Network> make_tcp_network(Reactor& reactor, boost::asio::io_context& io, BlockingPool& files,
                                          BlockingPool& names, TcpOptions options) {
  return std::make_unique<TcpNetwork>(reactor, io, files, names, options);
}

}  // namespace farshore
