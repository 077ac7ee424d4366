// DelayLine: one direction of one connection. It receives bytes, holds each piece until the time at which it is due,
// and sends the pieces in the order in which they came.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <vector>

#include "base/random.h"
#include "tests/net_proxy/network_conditions.h"

namespace farshore::net_proxy {

// One direction of the line, shared by all connections: they share its bandwidth.
struct Lane {
  MonoTime free_at;  // when the last accepted byte has left the sender
  uint64_t bytes = 0, swallowed_bytes = 0;
};

class DelayLine {
 public:
  DelayLine(const NetworkConditions& conditions, Direction way, Lane& lane, Random& random)
      : conditions_(conditions), way_(way), lane_(lane), random_(random) {}

  enum class End : uint8_t { kOpen, kFinished, kBroken };
  // Moves the bytes that are due now from socket `from` to socket `to`, at most about a megabyte. True: bytes were
  // moved, and there may be more. Then end() is kFinished if all bytes are delivered and the sender has ended its
  // direction (`to` was shut down, too), and kBroken if one of the two sockets failed.
  bool run(int from, int to, MonoTime now);

  void readable() { may_read_ = true; }
  void writable() { may_write_ = true; }
  End end() const { return end_; }
  bool swallowed_some() const { return swallowed_some_; }
  // When run() must be called again even if no socket becomes ready; MonoTime::max(): never.
  MonoTime next() const;

 private:
  struct Piece {
    std::unique_ptr<std::byte[]> bytes;
    size_t size = 0, sent = 0;
    MonoTime due;
  };
  bool receive(int from, MonoTime now);
  bool deliver(int to, MonoTime now);
  void accept(size_t size, MonoTime now);
  MonoTime due(size_t size, MonoTime now);

  const NetworkConditions& conditions_;
  const Direction way_;
  Lane& lane_;
  Random& random_;
  std::deque<Piece> pieces_;
  std::unique_ptr<std::byte[]> fresh_;              // what is received into
  std::vector<std::unique_ptr<std::byte[]>> free_;  // large buffers, last used first
  size_t held_bytes_ = 0;
  MonoTime last_due_;
  bool may_read_ = true, may_write_ = true;
  bool sender_ended_ = false, swallowed_some_ = false;
  End end_ = End::kOpen;
};

}  // namespace farshore::net_proxy
