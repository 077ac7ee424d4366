#include "base/real/internal/tcp_stream.h"

#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <bit>

#include "base/file_cache.h"
#include "base/real/disk.h"
#include "base/real/internal/address.h"

namespace farshore {
namespace {

constexpr size_t kPiecesPerCall = 64;
constexpr size_t kLowWaterMin = 32 << 10,
                 kLowWaterMax = 256 << 10;  // below, one more wake-up is cheaper than setsockopt
constexpr size_t kFileChunk = 256 << 10;

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
    CO_TRY(auto pinned, co_await pin_file(file));  // of a FileCache: open for as long as this takes
    int from = descriptor_of(*pinned);
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
                system_reason(number));
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

}  // namespace

std::unique_ptr<Stream> make_tcp_stream(std::shared_ptr<Socket> socket, BlockingPool& files, Endpoint peer) {
  return std::make_unique<TcpStream>(std::move(socket), files, std::move(peer));
}

}  // namespace farshore
