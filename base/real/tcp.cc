#include "base/real/tcp.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <system_error>

#include "base/file.h"
#include "base/real/disk.h"
#include "base/real/pool.h"

namespace farshore {

namespace asio = boost::asio;

namespace {

constexpr size_t kPiecesPerCall = 64;
constexpr size_t kLowWaterMin = 32 << 10,
                 kLowWaterMax = 256 << 10;  // below, one more wake-up is cheaper than setsockopt
constexpr size_t kFileChunk = 256 << 10;
constexpr size_t kBurstBytes = 1 << 20;  // what one stream may do without letting others run
constexpr size_t kBurstPerCall = 4 << 10;
constexpr int kBacklog = 1024;

enum Direction : size_t { kRead = 0, kWrite = 1 };

std::string reason(int number) { return std::error_code(number, std::system_category()).message(); }

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

struct Address {
  sockaddr_storage storage{};
  socklen_t length = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  int family() const { return storage.ss_family; }
};

// Blocks unless `host` is a numeric address.
Result<std::vector<Address>> look_up(const std::string& host, uint16_t port, int flags) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  int failure = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (failure != 0) {
    return Error(ErrorCode::kUnavailable,
                 "host " + host + ": " + (failure == EAI_SYSTEM ? reason(errno) : ::gai_strerror(failure)));
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

Task<Result<std::vector<Address>>> resolve(BlockingPool& names, Endpoint endpoint, Deadline deadline) {
  auto numeric = look_up(endpoint.host, endpoint.port, AI_NUMERICHOST);
  if (numeric) co_return numeric;
  auto job = [host = endpoint.host, port = endpoint.port] { return look_up(host, port, AI_ADDRCONFIG); };
  co_return co_await names.run(std::move(job), deadline);
}

// One descriptor, and who waits for it. Shared with the handlers that Asio holds.
class Socket : public std::enable_shared_from_this<Socket> {
 public:
  Socket(Reactor& reactor, asio::io_context& io, int fd) : reactor_(reactor), descriptor_(io, fd), fd_(fd) {}

  int fd() const { return fd_; }
  bool dead() const { return dead_.code != ErrorCode::kNone; }
  const Error& why() const { return dead_; }
  Reactor& reactor() { return reactor_; }

  // Closes the descriptor; what waits, and every later call, fails with `why`.
  void kill(Error why) {
    if (dead()) return;
    dead_ = std::move(why);
    fd_ = -1;
    boost::system::error_code ignored;
    descriptor_.close(ignored);
    for (auto& waiting : waiting_)
      if (waiting) std::exchange(waiting, std::nullopt)->complete(dead_);
  }

  Task<Status> ready(Direction direction, Deadline deadline) {
    ensure(!waiting_[direction], "one read and one write at a time");
    Wait<void> wait(reactor_);
    waiting_[direction] = wait;
    auto handler = [self = shared_from_this(), direction, wait](const boost::system::error_code&) {
      if (wait.done()) return;  // killed, or timed out
      self->waiting_[direction].reset();
      wait.complete(ok());
    };
    auto kind =
        direction == kRead ? asio::posix::stream_descriptor::wait_read : asio::posix::stream_descriptor::wait_write;
    descriptor_.async_wait(kind, std::move(handler));
    burst_[direction] = 0;
    auto self = shared_from_this();
    auto waited = co_await wait.wait(deadline);
    if (!waited && waited.error() == ErrorCode::kTimedOut) {
      self->waiting_[direction].reset();
      self->kill(Error(ErrorCode::kClosed, "an earlier operation on this connection timed out"));
    }
    co_return waited;
  }

  // After an operation that did not have to wait: true when others should have a turn.
  bool burst_over(Direction direction, size_t bytes) {
    burst_[direction] += bytes + kBurstPerCall;
    if (burst_[direction] < kBurstBytes) return false;
    burst_[direction] = 0;
    return true;
  }

 private:
  Reactor& reactor_;
  asio::posix::stream_descriptor descriptor_;
  int fd_;
  Error dead_;
  std::optional<Wait<void>> waiting_[2];
  size_t burst_[2] = {0, 0};
};

Task<void> yield(Reactor& reactor) {
  Wait<void> turn(reactor);
  reactor.post([turn] { turn.complete(ok()); });
  (void)co_await turn.wait(Deadline::never());
}

class TcpStream final : public Stream {
 public:
  TcpStream(std::shared_ptr<Socket> socket, BlockingPool& files, Endpoint peer)
      : socket_(std::move(socket)), files_(files), peer_(std::move(peer)) {}
  ~TcpStream() override { close(); }

  Task<Result<size_t>> read_some(MutableBytes into, size_t bytes_min, Deadline deadline) override {
    auto socket = socket_;
    for (;;) {
      if (socket->dead()) co_return socket->why();
      ssize_t n = ::recv(socket->fd(), into.data(), into.size(), 0);
      if (n > 0) {
        auto bytes = static_cast<size_t>(n);
        if (socket->burst_over(kRead, bytes)) co_await yield(socket->reactor());
        co_return bytes;
      }
      if (n == 0 && !into.empty()) co_return Error(ErrorCode::kConnectionReset, "the peer closed the connection");
      if (n == 0) co_return Error(ErrorCode::kInvalidArgument, "a read of no bytes");
      if (errno == EINTR) continue;
      if (errno != EAGAIN) co_return fail(*socket, errno);
      set_low_water(*socket, std::min(bytes_min, into.size()));
      CO_CHECK(co_await socket->ready(kRead, deadline));
    }
  }

  Task<Status> write(ConstBytesList pieces, Deadline deadline) override {
    auto socket = socket_;
    size_t index = 0, skip = 0;  // the first byte that is not sent yet
    for (;;) {
      if (socket->dead()) co_return socket->why();
      iovec parts[kPiecesPerCall];
      msghdr message{};
      message.msg_iov = parts;
      size_t from = skip, next = index;
      for (; next < pieces.size() && message.msg_iovlen < kPiecesPerCall; ++next, from = 0) {
        if (pieces[next].size() == from) continue;
        parts[message.msg_iovlen++] = {const_cast<std::byte*>(pieces[next].data()) + from, pieces[next].size() - from};
      }
      if (message.msg_iovlen == 0) co_return ok();
      ssize_t n = ::sendmsg(socket->fd(), &message, MSG_NOSIGNAL | (next < pieces.size() ? MSG_MORE : 0));
      if (n < 0) {
        if (errno == EINTR) continue;
        if (errno != EAGAIN) co_return fail(*socket, errno);
        CO_CHECK(co_await socket->ready(kWrite, deadline));
        continue;
      }
      for (auto left = static_cast<size_t>(n); left > 0;) {
        size_t here = std::min(left, pieces[index].size() - skip);
        left -= here;
        skip += here;
        if (skip == pieces[index].size()) ++index, skip = 0;
      }
      if (socket->burst_over(kWrite, static_cast<size_t>(n))) co_await yield(socket->reactor());
    }
  }

  Task<Status> write_file(File& file, uint64_t position, uint64_t length, Deadline deadline) override {
    int from = descriptor_of(file);
    if (from < 0) co_return Error(ErrorCode::kInvalidArgument, file.path() + " is no file of this Env");
    auto socket = socket_;
    uint64_t warm_to = position;
    while (length > 0) {
      if (socket->dead()) co_return socket->why();
      size_t chunk = std::min<uint64_t>(length, kFileChunk);
      if (position + chunk > warm_to) {
        // sendfile would wait for the disk with everybody else behind it.
        CO_CHECK(co_await warm(from, file.path(), position, chunk));
        warm_to = position + chunk;
        if (socket->dead()) co_return socket->why();
      }
      auto offset = static_cast<off_t>(position);
      ssize_t n = ::sendfile(socket->fd(), from, &offset, chunk);
      if (n == 0) co_return Error(ErrorCode::kOutOfRange, file.path() + " ends before the range to send");
      if (n < 0) {
        if (errno == EINTR) continue;
        if (errno == EIO) co_return file_error(errno, "sending " + file.path());
        if (errno != EAGAIN) co_return fail(*socket, errno);
        CO_CHECK(co_await socket->ready(kWrite, deadline));
        continue;
      }
      position += static_cast<uint64_t>(n);
      length -= static_cast<uint64_t>(n);
      if (socket->burst_over(kWrite, static_cast<size_t>(n))) co_await yield(socket->reactor());
    }
    co_return ok();
  }

  void close() override { socket_->kill(Error(ErrorCode::kClosed)); }
  Endpoint peer() const override { return peer_; }

 private:
  static Error fail(Socket& socket, int number) {
    Error error(number == EIO || number == ENOMEM || number == ENOBUFS ? ErrorCode::kIo : ErrorCode::kConnectionReset,
                reason(number));
    socket.kill(error);
    return error;
  }

  // The kernel then wakes us once per so many bytes, not once per segment. Never more than the caller waits for.
  void set_low_water(Socket& socket, size_t bytes_min) {
    size_t wanted = bytes_min < kLowWaterMin ? 1 : std::bit_floor(std::min(bytes_min, kLowWaterMax));
    if (wanted == low_water_) return;
    int value = static_cast<int>(wanted);
    if (::setsockopt(socket.fd(), SOL_SOCKET, SO_RCVLOWAT, &value, sizeof value) == 0) low_water_ = wanted;
  }

  Task<Status> warm(int fd, const std::string& path, uint64_t position, size_t size) {
    std::byte probe;
    for (uint64_t at : {position, position + size - 1}) {
      iovec one{&probe, 1};
      ssize_t n = ::preadv2(fd, &one, 1, static_cast<off_t>(at), RWF_NOWAIT);
      if (n >= 0 || errno == EOPNOTSUPP) continue;  // there, beyond the end, or unknowable
      if (errno != EAGAIN) co_return file_error(errno, "reading " + path);
      int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);  // the file may be closed while the job runs
      if (copy < 0) co_return file_error(errno, "reading " + path);
      auto job = [copy, path, position, size]() -> Status {
        auto scratch = std::make_unique<std::byte[]>(size);
        ssize_t read = ::pread(copy, scratch.get(), size, static_cast<off_t>(position));
        int failure = errno;
        ::close(copy);
        if (read < 0) return file_error(failure, "reading " + path);
        return ok();
      };
      co_return co_await files_.run(std::move(job));
    }
    co_return ok();
  }

  std::shared_ptr<Socket> socket_;
  BlockingPool& files_;
  Endpoint peer_;
  size_t low_water_ = 1;
};

void set_option(int fd, int level, int name, int value) { (void)::setsockopt(fd, level, name, &value, sizeof value); }

class TcpListener final : public Listener {
 public:
  TcpListener(std::shared_ptr<Socket> socket, asio::io_context& io, BlockingPool& files, Endpoint local)
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
        set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
        auto accepted = std::make_shared<Socket>(socket->reactor(), io_, fd);
        std::unique_ptr<Stream> stream = std::make_unique<TcpStream>(std::move(accepted), files_, to_endpoint(address));
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
          co_return Error(ErrorCode::kResourceExhausted, "accepting a connection: " + reason(errno));
        default:
          co_return Error(ErrorCode::kUnavailable, "accepting a connection: " + reason(errno));
      }
      auto waited = co_await socket->ready(kRead, Deadline::never());
      if (!waited) co_return Error(ErrorCode::kClosed);
    }
  }
  Endpoint local() const override { return local_; }
  void close() override { socket_->kill(Error(ErrorCode::kClosed)); }

 private:
  std::shared_ptr<Socket> socket_;
  asio::io_context& io_;
  BlockingPool& files_;
  Endpoint local_;
};

class TcpNetwork final : public Network {
 public:
  TcpNetwork(Reactor& reactor, asio::io_context& io, BlockingPool& files, BlockingPool& names, TcpOptions options)
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
      return Error(code, reason(errno));
    }
    // Before connect and listen: they decide the window scale. An accepted socket inherits them.
    if (options_.send_bytes > 0) set_option(fd, SOL_SOCKET, SO_SNDBUF, options_.send_bytes);
    if (options_.receive_bytes > 0) set_option(fd, SOL_SOCKET, SO_RCVBUF, options_.receive_bytes);
    return fd;
  }

  Task<Result<std::unique_ptr<Stream>>> connect_one(Address address, Endpoint to, Deadline deadline) {
    auto fd = make_socket(address);
    if (!fd) co_return Error(ErrorCode::kUnavailable, fd.error().detail);
    set_option(*fd, IPPROTO_TCP, TCP_NODELAY, 1);
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
      co_return Error(ErrorCode::kUnavailable, reason(failure));
    }
    std::unique_ptr<Stream> stream = std::make_unique<TcpStream>(std::move(socket), files_, std::move(to));
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
    set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
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
      return Error(code, reason(failure));
    }
    auto socket = std::make_shared<Socket>(reactor_, io_, fd);
    std::unique_ptr<Listener> listener =
        std::make_unique<TcpListener>(std::move(socket), io_, files_, to_endpoint(bound));
    return listener;
  }

  Reactor& reactor_;
  asio::io_context& io_;
  BlockingPool &files_, &names_;
  TcpOptions options_;
};

}  // namespace

std::unique_ptr<Network> make_tcp_network(Reactor& reactor, asio::io_context& io, BlockingPool& files,
                                          BlockingPool& names, TcpOptions options) {
  return std::make_unique<TcpNetwork>(reactor, io, files, names, options);
}

}  // namespace farshore
