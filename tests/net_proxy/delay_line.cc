#include "tests/net_proxy/delay_line.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace farshore::net_proxy {

namespace {

constexpr size_t kPieceBytes = 256 << 10;
constexpr size_t kCopyBelow = 64 << 10;     // a small piece gets memory of its size, so that many are cheap to hold
constexpr size_t kFreePiecesMax = 64;       // 16 MiB
constexpr size_t kTurnBytes = 1 << 20;      // what one direction may move before others have a turn
constexpr size_t kTinyChunkTurnBytes = 64;  // with tiny chunks every send is a system call

}  // namespace

MonoTime DelayLine::due(size_t size, MonoTime now) {
  MonoTime sent = now;
  if (conditions_.bytes_per_s > 0) {
    double seconds_on_line = static_cast<double>(size) / static_cast<double>(conditions_.bytes_per_s);
    lane_.free_at = std::max(lane_.free_at, now) + Duration(static_cast<int64_t>(seconds_on_line * 1e9));
    sent = lane_.free_at;
  }
  MonoTime due = sent + conditions_.one_way_delay;
  if (conditions_.jitter > Duration(0)) due += Duration(random_.between(0, conditions_.jitter.count()));
  last_due_ = std::max(due, last_due_);
  return last_due_;
}

void DelayLine::accept(size_t size, MonoTime now) {
  lane_.bytes += size;
  if (conditions_.swallowed[way_]) {
    lane_.swallowed_bytes += size;
    swallowed_some_ = true;
    return;
  }
  Piece& piece = pieces_.emplace_back();
  piece.size = size;
  piece.due = due(size, now);
  held_bytes_ += size;
  if (size < kCopyBelow) {
    piece.bytes.reset(new std::byte[size]);
    std::memcpy(piece.bytes.get(), fresh_.get(), size);
  } else {
    piece.bytes = std::move(fresh_);
  }
}

bool DelayLine::receive(int from, MonoTime now) {
  if (!may_read_ || sender_ended_ || conditions_.black_hole[way_]) return false;
  bool moved = false;
  for (size_t turn = 0; turn < kTurnBytes && held_bytes_ < conditions_.buffer_bytes_max;) {
    if (!fresh_) {
      if (free_.empty()) {
        fresh_.reset(new std::byte[kPieceBytes]);
      } else {
        fresh_ = std::move(free_.back());
        free_.pop_back();
      }
    }
    ssize_t n = ::recv(from, fresh_.get(), kPieceBytes, MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) {
      may_read_ = false;
      return moved;
    }
    if (n < 0) {
      end_ = End::kBroken;
      return true;
    }
    if (n == 0) {
      sender_ended_ = true;
      return true;
    }
    accept(static_cast<size_t>(n), now);
    turn += static_cast<size_t>(n);
    moved = true;
  }
  return moved;
}

bool DelayLine::deliver(int to, MonoTime now) {
  if (!may_write_ || conditions_.black_hole[way_]) return false;
  bool moved = false;
  const size_t turn_max = conditions_.chunk_bytes > 0 ? conditions_.chunk_bytes * kTinyChunkTurnBytes : kTurnBytes;
  for (size_t turn = 0; turn < turn_max && !pieces_.empty() && pieces_.front().due <= now;) {
    Piece& piece = pieces_.front();
    size_t size = piece.size - piece.sent;
    if (conditions_.chunk_bytes > 0) size = std::min(size, conditions_.chunk_bytes);
    ssize_t n = ::send(to, piece.bytes.get() + piece.sent, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) {
      may_write_ = false;
      return moved;
    }
    if (n < 0) {
      end_ = End::kBroken;
      return true;
    }
    moved = true;
    turn += static_cast<size_t>(n);
    held_bytes_ -= static_cast<size_t>(n);
    piece.sent += static_cast<size_t>(n);
    if (piece.sent < piece.size) continue;
    if (piece.size >= kCopyBelow && free_.size() < kFreePiecesMax) free_.push_back(std::move(piece.bytes));
    pieces_.pop_front();
  }
  if (sender_ended_ && pieces_.empty() && end_ == End::kOpen) {
    ::shutdown(to, SHUT_WR);
    end_ = End::kFinished;
    moved = true;
  }
  return moved;
}

bool DelayLine::run(int from, int to, MonoTime now) {
  if (end_ != End::kOpen) return false;
  bool received = receive(from, now);
  if (end_ != End::kOpen) return true;
  return deliver(to, now) || received;
}

MonoTime DelayLine::next() const {
  if (end_ != End::kOpen || pieces_.empty() || !may_write_ || conditions_.black_hole[way_]) return MonoTime::max();
  return pieces_.front().due;
}

}  // namespace farshore::net_proxy
