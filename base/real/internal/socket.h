// One descriptor, and who waits for it. Shared with the handlers that Asio holds. Executor: the Env's.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <memory>
#include <optional>

#include "base/wait.h"

namespace farshore {

enum Direction : size_t { kRead = 0, kWrite = 1 };

class Socket : public std::enable_shared_from_this<Socket> {
 public:
  Socket(Reactor& reactor, boost::asio::io_context& io, int fd) : reactor_(reactor), descriptor_(io, fd), fd_(fd) {}

  int fd() const { return fd_; }
  bool dead() const { return dead_.code != ErrorCode::kNone; }
  const Error& why() const { return dead_; }
  Reactor& reactor() { return reactor_; }

  // Closes the descriptor. Whoever waits gets `why`, and so does every later call.
  void kill(Error why);

  // Waits until the descriptor can be read or written. kTimedOut ends the socket. One wait a direction at a time.
  Task<Status> ready(Direction direction, Deadline deadline);

  // After an operation that did not have to wait: true when others should have a turn.
  bool burst_over(Direction direction, size_t bytes);

 private:
  Reactor& reactor_;
  boost::asio::posix::stream_descriptor descriptor_;
  int fd_;
  Error dead_;
  std::optional<Wait<void>> waiting_[2];
  size_t burst_[2] = {0, 0};
};

// setsockopt with an int; a refusal changes nothing that we rely on.
void set_socket_option(int fd, int level, int name, int value);

}  // namespace farshore
