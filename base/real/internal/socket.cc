#include "base/real/internal/socket.h"

#include <sys/socket.h>

#include <utility>

namespace farshore {
namespace {

constexpr size_t kBurstBytes = 1 << 20;  // of one stream, before others have a turn
constexpr size_t kBurstPerCall = 4 << 10;

}  // namespace

void Socket::kill(Error why) {
  if (dead()) return;
  dead_ = std::move(why);
  fd_ = -1;
  boost::system::error_code ignored;
  descriptor_.close(ignored);
  for (auto& waiting : waiting_)
    if (waiting) std::exchange(waiting, std::nullopt)->complete(dead_);
}

Task<Status> Socket::ready(Direction direction, Deadline deadline) {
  ensure(!waiting_[direction], "one read and one write at a time");
  Wait<void> wait(reactor_);
  waiting_[direction] = wait;
  auto handler = [self = shared_from_this(), direction, wait](const boost::system::error_code&) {
    if (wait.done()) return;  // killed, or timed out
    self->waiting_[direction].reset();
    wait.complete(ok());
  };
  auto kind = direction == kRead ? boost::asio::posix::stream_descriptor::wait_read
                                 : boost::asio::posix::stream_descriptor::wait_write;
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

bool Socket::burst_over(Direction direction, size_t bytes) {
  burst_[direction] += bytes + kBurstPerCall;
  if (burst_[direction] < kBurstBytes) return false;
  burst_[direction] = 0;
  return true;
}

void set_socket_option(int fd, int level, int name, int value) {
  (void)::setsockopt(fd, level, name, &value, sizeof value);
}

}  // namespace farshore
