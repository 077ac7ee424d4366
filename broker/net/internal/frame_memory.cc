#include "broker/net/internal/frame_memory.h"

#include <algorithm>

namespace farshore::broker {
namespace {

constexpr Duration kLookForSlow = seconds(1);  // while a request waits for memory

}  // namespace

std::unique_ptr<FrameMemory::Share> FrameMemory::open(Stream& stream) {
  std::unique_ptr<Share> share(new Share(*this, next_id_++, stream));
  shares_[share->id_] = share.get();
  return share;
}

FrameMemory::Share::~Share() {
  memory_.shares_.erase(id_);
  memory_.used_ -= bytes_;
  if (memory_.beyond_ == this) memory_.beyond_ = nullptr;
  memory_.freed_.notify();
}

bool FrameMemory::fits(const Share& share, size_t bytes) const {
  const size_t reserved = bytes_max_ / 4;
  if (used_ + bytes <= bytes_max_ - reserved) return true;
  return used_ + bytes <= bytes_max_ && share.bytes_ + bytes <= reserved / std::max<size_t>(shares_.size(), 1);
}

Task<Status> FrameMemory::Share::grow(size_t bytes, Deadline deadline) {
  FrameMemory& memory = memory_;
  while (!memory.fits(*this, bytes)) {
    if (!memory.beyond_) memory.beyond_ = this;
    if (memory.beyond_ == this) break;
    memory.end_slow();
    if (deadline.passed(memory.env_.now()))
      co_return Error(ErrorCode::kTimedOut, "no memory for a large request (queued.max.request.bytes)");
    waiting_ = true;
    (void)co_await memory.freed_.wait(memory.env_.in(kLookForSlow));
    waiting_ = false;
    since_ = memory.env_.now();  // it was not the client who was slow
    recent_ = 0;
  }
  bytes_ += bytes;
  memory.used_ += bytes;
  co_return ok();
}

void FrameMemory::Share::received(size_t bytes) {
  recent_ += bytes;
  if (recent_ < kSlowBytes) return;
  recent_ = 0;
  since_ = memory_.env_.now();
}

// Their readers notice it, and give the memory back.
void FrameMemory::end_slow() {
  const MonoTime now = env_.now();
  for (auto& [id, share] : shares_) {
    if (!share->slow(now)) continue;
    share->too_slow_ = true;
    share->stream_->close();
  }
}

}  // namespace farshore::broker
