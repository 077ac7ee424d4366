// FrameReader: cuts the byte stream of one connection into request frames. Small frames lie in a chunk that the
// connection keeps; a larger one gets a block of its own, given back when it was served: an idle connection holds one
// chunk, and record bytes are received where they will be written from. Executor: the broker's. Owner: Connection.
#pragma once

#include "base/env.h"
#include "base/event.h"
#include "base/net.h"
#include "base/slab.h"
#include "broker/net/internal/frame_memory.h"

namespace farshore::broker {

struct Frame {
  Slice bytes;                                 // without the length
  std::unique_ptr<FrameMemory::Share> memory;  // of a large one
  uint64_t chunk_generation = 0;               // which chunk it lies in; 0: none
  MonoTime received;
};

// Whether a request of the connection is being served. Who serves it notifies `ended`, and closes it in the end.
struct Serving {
  explicit Serving(Reactor& reactor) : ended(reactor) {}
  bool now = false;
  Notifier ended;
};

class FrameReader {
 public:
  static constexpr size_t kChunkBytes = 16 << 10;

  // `chunks` is shared by all connections. All references must outlive the reader and the frames.
  FrameReader(Env& env, Stream& stream, SlabArena& arena, SlabWriter& chunks, FrameMemory& memory, Serving& serving,
              size_t frame_bytes_max);

  // The next frame. A large one is received when no request is being served: until then it stays with the network, and
  // takes no memory that others need, for a request may wait as long as its client wants. kConnectionReset: the client
  // ended it between two frames; kTruncated: inside one; kCorrupt: a negative length; kResourceExhausted: longer than
  // allowed, or too slow while others wait for its memory (FrameMemory); kTimedOut: nothing came for `idle`.
  Task<Result<Frame>> next(Duration idle);
  // The frame's bytes are not used any more. Call it for every frame, then destroy the frame.
  void done(const Frame& frame);

 private:
  Task<Status> fill(size_t bytes_min, Duration idle);
  Task<Status> wait_until_served();
  Task<Status> receive_large(Frame& frame, size_t size, Duration idle);
  size_t available() const { return filled_ - parsed_; }

  Env& env_;
  Stream& stream_;
  SlabArena& arena_;
  SlabWriter& chunks_;
  FrameMemory& memory_;
  Serving& serving_;
  size_t frame_bytes_max_;
  Slice chunk_;
  size_t parsed_ = 0, filled_ = 0;  // in the chunk
  uint64_t generation_ = 0;         // of the current chunk
  size_t in_use_ = 0;               // frames that lie in it
  bool large_before_ = false;
};

}  // namespace farshore::broker
