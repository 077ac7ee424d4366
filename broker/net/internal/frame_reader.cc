#include "broker/net/internal/frame_reader.h"

#include <algorithm>
#include <cstring>

namespace farshore::broker {
namespace {

constexpr size_t kLengthBytes = 4;
// After a large frame another one is likely: what the first read takes beyond the header has to be copied.
constexpr size_t kProbeBytes = 512;
constexpr size_t kStepBytesMin = 64 << 10, kStepBytesMax = 1 << 20;  // in which a large request takes memory

}  // namespace

FrameReader::FrameReader(Env& env, Stream& stream, SlabArena& arena, SlabWriter& chunks, FrameMemory& memory,
                         Serving& serving, size_t frame_bytes_max)
    : env_(env),
      stream_(stream),
      arena_(arena),
      chunks_(chunks),
      memory_(memory),
      serving_(serving),
      frame_bytes_max_(frame_bytes_max) {}

// Reads until `bytes_min` unparsed bytes are in the chunk (<= kChunkBytes).
Task<Status> FrameReader::fill(size_t bytes_min, Duration idle) {
  while (available() < bytes_min) {
    if (parsed_ + bytes_min > chunk_.size() || (parsed_ == filled_ && in_use_ == 0)) {
      if (in_use_ > 0 || chunk_.size() == 0) {
        (void)chunks_.room(kChunkBytes);
        Slice fresh = chunks_.take(kChunkBytes);
        if (available() > 0) std::memcpy(fresh.mutable_bytes().data(), chunk_.bytes().data() + parsed_, available());
        chunk_ = std::move(fresh);
        in_use_ = 0;  // those in the old chunk keep it themselves
        ++generation_;
      } else if (available() > 0) {
        std::memmove(chunk_.mutable_bytes().data(), chunk_.bytes().data() + parsed_, available());
      }
      filled_ = available();
      parsed_ = 0;
    }
    MutableBytes room = chunk_.mutable_bytes().subspan(filled_);
    if (large_before_ && bytes_min <= kLengthBytes) room = room.first(std::min(room.size(), kProbeBytes));
    auto got = co_await stream_.read_some(room, bytes_min - available(), env_.in(idle));
    if (!got) co_return std::move(got).error();
    filled_ += *got;
  }
  co_return ok();
}

Task<Status> FrameReader::wait_until_served() {
  while (serving_.now) CO_CHECK(co_await serving_.ended.wait(Deadline::never()));  // as long as the request may wait
  co_return ok();
}

// Memory is taken step by step, as the bytes arrive. The block for the whole request is made when its first slab is
// full: then the client means what it announced.
Task<Status> FrameReader::receive_large(Frame& frame, size_t size, Duration idle) {
  frame.memory = memory_.open(stream_);
  frame.bytes = Slice(arena_.allocate(), 0, std::min(size, kSlabBytes));
  size_t have = 0;
  while (have < size) {
    if (have == frame.bytes.size()) {
      Slice all(arena_.allocate(size), 0, size);
      std::memcpy(all.mutable_bytes().data(), frame.bytes.bytes().data(), have);
      frame.bytes = std::move(all);
    }
    if (have == frame.memory->bytes()) {
      const size_t step = std::clamp(have, kStepBytesMin, kStepBytesMax);
      CO_CHECK(co_await frame.memory->grow(std::min(size - have, step), env_.in(idle)));
    }
    MutableBytes room = frame.bytes.mutable_bytes();
    room = room.subspan(have, std::min(frame.memory->bytes(), room.size()) - have);
    size_t here = 0;
    if (have == 0) {  // those that came with the length; fewer than a step
      here = available() - kLengthBytes;
      std::memcpy(room.data(), chunk_.bytes().data() + parsed_ + kLengthBytes, here);
      parsed_ = filled_;
    }
    if (here == 0) {
      CO_TRY(here, co_await stream_.read_some(room, room.size(), env_.in(idle)));
    }
    frame.memory->received(here);
    have += here;
  }
  frame.memory->complete();
  co_return ok();
}

Task<Result<Frame>> FrameReader::next(Duration idle) {
  auto begun = co_await fill(kLengthBytes, idle);
  if (!begun) {
    if (begun.error() == ErrorCode::kConnectionReset && available() > 0)
      co_return Error(ErrorCode::kTruncated, "the connection ended inside a frame's length");
    co_return std::move(begun).error();
  }
  auto length = load_be<int32_t>(chunk_.bytes().data() + parsed_);
  if (length < 0) co_return Error(ErrorCode::kCorrupt, "a frame of negative length " + std::to_string(length));
  auto size = static_cast<size_t>(length);
  if (size > frame_bytes_max_)
    co_return Error(ErrorCode::kResourceExhausted, "a frame of " + std::to_string(size) + " bytes; at most " +
                                                       std::to_string(frame_bytes_max_) +
                                                       " are allowed (socket.request.max.bytes)");
  Frame frame;
  Status whole = ok();
  if (kLengthBytes + size <= kChunkBytes) {
    large_before_ = false;
    whole = co_await fill(kLengthBytes + size, idle);
    if (whole) {
      frame.bytes = chunk_.sub(parsed_ + kLengthBytes, size);
      frame.chunk_generation = generation_;
      parsed_ += kLengthBytes + size;
      ++in_use_;
    }
  } else {
    large_before_ = true;
    CO_CHECK(co_await wait_until_served());
    whole = co_await receive_large(frame, size, idle);
  }
  if (!whole && frame.memory && frame.memory->too_slow())
    co_return Error(ErrorCode::kResourceExhausted, "a request of " + std::to_string(size) +
                                                       " bytes came too slowly while others waited for its memory "
                                                       "(queued.max.request.bytes)");
  if (!whole) {
    if (whole.error() == ErrorCode::kConnectionReset)
      co_return Error(ErrorCode::kTruncated, "the connection ended inside a frame");
    co_return std::move(whole).error();
  }
  frame.received = env_.now();
  co_return frame;
}

void FrameReader::done(const Frame& frame) {
  if (frame.chunk_generation == generation_ && generation_ != 0) --in_use_;
}

}  // namespace farshore::broker
