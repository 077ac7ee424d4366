#include "broker/net/internal/frame_reader.h"

#include <algorithm>
#include <cstring>

namespace farshore::broker {
namespace {

constexpr size_t kLengthBytes = 4;
// After a large frame another one is likely: what the first read takes beyond the header has to be copied.
constexpr size_t kProbeBytes = 512;

}  // namespace

FrameReader::FrameReader(Env& env, Stream& stream, SlabArena& arena, SlabWriter& chunks, Budget& budget,
                         size_t frame_bytes_max)
    : env_(env), stream_(stream), arena_(arena), chunks_(chunks), budget_(budget), frame_bytes_max_(frame_bytes_max) {}

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
    auto token = co_await budget_.acquire(size, env_.in(idle));
    if (!token) co_return std::move(token).error();
    frame.token = std::move(*token);
    frame.bytes = Slice(arena_.allocate(size), 0, size);
    MutableBytes rest = frame.bytes.mutable_bytes();
    size_t here = available() - kLengthBytes;  // less than the frame: it is larger than the chunk
    std::memcpy(rest.data(), chunk_.bytes().data() + parsed_ + kLengthBytes, here);
    parsed_ = filled_;
    rest = rest.subspan(here);
    while (!rest.empty()) {
      auto got = co_await stream_.read_some(rest, rest.size(), env_.in(idle));
      if (!got) {
        whole = std::move(got).error();
        break;
      }
      rest = rest.subspan(*got);
    }
  }
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
