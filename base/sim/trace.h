// Trace: the fingerprint of a run, and its last log lines. Two runs of one seed must have the same hash; payloads are
// part of it, so that equal schedules with different bytes differ.
#pragma once

#include <cstdint>
#include <cstdio>
#include <deque>
#include <functional>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace farshore::sim {

// A fast digest of bytes; the same on every run and machine of one byte order. Not a checksum for disks or wires.
uint64_t digest(ConstBytes bytes, uint64_t start = 0);
inline uint64_t digest(std::string_view text, uint64_t start = 0) { return digest(as_bytes(text), start); }

class Trace {
 public:
  explicit Trace(size_t lines_kept, bool print) : lines_kept_(lines_kept), print_(print) {}
  void mix(uint64_t value) {
    hash_ = (hash_ ^ value) * 0x9FB21C651E98DF25ull;
    hash_ ^= hash_ >> 29;
    if (record_) std::fprintf(record_, "%016llx\n", static_cast<unsigned long long>(hash_));
  }
  void mix(ConstBytes payload) { mix(digest(payload)); }
  void line(std::string text);  // kept (bounded), and part of the hash
  uint64_t hash() const { return hash_; }
  const std::deque<std::string>& lines() const { return lines_; }
  // Called with every line. It takes note and acts later.
  void watch(std::function<void(std::string_view)> watcher) { watcher_ = std::move(watcher); }
  // Writes every step of the hash there: the first differing line of two such files is the first difference of two
  // runs.
  void record_to(std::FILE* file) { record_ = file; }

 private:
  uint64_t hash_ = 0x243F6A8885A308D3ull;
  std::deque<std::string> lines_;
  size_t lines_kept_;
  bool print_;
  std::FILE* record_ = nullptr;
  std::function<void(std::string_view)> watcher_;
};

}  // namespace farshore::sim
