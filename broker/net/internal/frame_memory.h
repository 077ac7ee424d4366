// FrameMemory: the memory of large requests under way, of all connections (queued.max.request.bytes). A request takes
// memory as its bytes arrive: the length that a client announces costs nothing. When memory is short:
//  - the last quarter is for small shares: a request that holds little goes on beside others that hold much;
//  - one request goes on beyond the limit, so that something always ends;
//  - a client that sends less than kSlowBytes in kSlowMax is disconnected, because others wait for its memory.
// Executor: the broker's. Owner: Server. It outlives all shares.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>

#include "base/env.h"
#include "base/event.h"
#include "base/net.h"

namespace farshore::broker {

class FrameMemory {
 public:
  static constexpr size_t kSlowBytes = 64 << 10;
  static constexpr Duration kSlowMax = seconds(10);

  FrameMemory(Env& env, size_t bytes_max) : env_(env), bytes_max_(bytes_max), freed_(env) {}
  FrameMemory(const FrameMemory&) = delete;
  FrameMemory& operator=(const FrameMemory&) = delete;

  // The memory of one request, given back when the share is destroyed.
  class Share {
   public:
    ~Share();
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;

    // Takes so many bytes more, and waits until they are free. kTimedOut at `deadline`; kClosed if the client was
    // disconnected for its slowness.
    Task<Status> grow(size_t bytes, Deadline deadline);
    void received(size_t bytes);
    void complete() { complete_ = true; }  // the request is whole: its client is not waited for any more
    size_t bytes() const { return bytes_; }
    bool too_slow() const { return too_slow_; }

   private:
    friend class FrameMemory;
    Share(FrameMemory& memory, uint64_t id, Stream& stream)
        : memory_(memory), id_(id), stream_(&stream), since_(memory.env_.now()) {}
    bool slow(MonoTime now) const { return !complete_ && !waiting_ && !too_slow_ && now - since_ > kSlowMax; }

    FrameMemory& memory_;
    const uint64_t id_;
    Stream* stream_;  // used only while the request is not complete
    size_t bytes_ = 0, recent_ = 0;
    MonoTime since_;  // `recent_` bytes have been received since then
    bool complete_ = false, waiting_ = false, too_slow_ = false;
  };

  // `stream` outlives the share, or the share is complete before.
  std::unique_ptr<Share> open(Stream& stream);
  size_t used_bytes() const { return used_; }

 private:
  bool fits(const Share& share, size_t bytes) const;
  void end_slow();

  Env& env_;
  const size_t bytes_max_;
  Notifier freed_;
  std::map<uint64_t, Share*> shares_;  // by id
  uint64_t next_id_ = 1;
  Share* beyond_ = nullptr;  // the one that may go beyond the limit
  size_t used_ = 0;
};

}  // namespace farshore::broker
