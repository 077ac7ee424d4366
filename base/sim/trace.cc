#include "base/sim/trace.h"

#include <cstring>

namespace farshore::sim {
namespace {

constexpr uint64_t kA = 0x9E3779B97F4A7C15ull, kB = 0xBF58476D1CE4E5B9ull;

uint64_t fold(uint64_t x) {
  x *= kB;
  return x ^ (x >> 32);
}

}  // namespace

uint64_t digest(ConstBytes bytes, uint64_t start) {
  const std::byte* at = bytes.data();
  size_t left = bytes.size();
  uint64_t a = start ^ kA, b = start + bytes.size();
  for (; left >= 16; at += 16, left -= 16) {  // two lanes, so that one multiplication does not wait for the other
    uint64_t x, y;
    std::memcpy(&x, at, 8);
    std::memcpy(&y, at + 8, 8);
    a = fold(a ^ x);
    b = fold(b + y);
  }
  uint64_t tail[2] = {0, 0};
  if (left > 0) std::memcpy(tail, at, left);
  a = fold(a ^ tail[0]);
  b = fold(b + tail[1]);
  return fold(a ^ (b << 1 | b >> 63));
}

void Trace::line(std::string text) {
  if (watcher_) watcher_(text);
  mix(digest(text));
  if (print_) std::fprintf(stderr, "%s\n", text.c_str());
  if (lines_kept_ == 0) return;
  if (lines_.size() >= lines_kept_) lines_.pop_front();
  lines_.push_back(std::move(text));
}

}  // namespace farshore::sim
