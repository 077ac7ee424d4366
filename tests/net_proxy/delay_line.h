// One direction of one connection: bytes come in, are due later, and go out in order. Holds the bytes itself, in the
// order in which they came, each piece with the time at which it may go.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <vector>

#include "base/random.h"
#include "tests/net_proxy/weather.h"

namespace farshore::net_proxy {

// What all connections share in one direction: the line has one bandwidth.
struct Lane {
  MonoTime free_at;  // when the last byte that was let in has left the sender
  uint64_t bytes = 0, swallowed_bytes = 0;
};

class DelayLine {
 public:
  DelayLine(const Weather& weather, Direction way, Lane& lane, Random& random)
      : weather_(weather), way_(way), lane_(lane), random_(random) {}

  enum class End : uint8_t { kOpen, kFinished, kBroken };
  // Moves what can be moved now from socket `from` to socket `to`, at most about a megabyte. True: something moved, and
  // there may be more. kFinished: all is delivered and the sender has ended its direction (told to `to`). kBroken: one
  // of the two sockets failed.
  bool run(int from, int to, MonoTime now);

  void readable() { may_read_ = true; }
  void writable() { may_write_ = true; }
  End end() const { return end_; }
  bool swallowed_some() const { return swallowed_some_; }
  // When run() should be called again though no socket became ready; MonoTime::max() if there is no such time.
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

  const Weather& weather_;
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
