// AnswerMemory: the memory of large responses that are being written, of all connections (queued.max.response.bytes).
// A client that reads slowly does not stop the responses of others. When the memory is full, a new response takes the
// place of older ones, whose connections end:
//   1. those of which the client has read nothing for kStalledMax; the one that stands still for the longest goes
//   first;
//   2. those that are being written for longer than kSlowMax, if the responses to their address hold no less than those
//      to the new one's; the address that holds the most goes first.
// If that is not enough, nobody is disconnected, and there is no room for the new response.
// One response may be larger than the whole memory, while there is no other. Executor: the broker's. Owner: Server. It
// outlives all shares.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/env.h"
#include "base/net.h"

namespace farshore::broker {

class AnswerMemory {
 public:
  static constexpr Duration kStalledMax = seconds(2), kSlowMax = seconds(10);

  AnswerMemory(Env& env, size_t bytes_max) : env_(env), bytes_max_(bytes_max) {}
  AnswerMemory(const AnswerMemory&) = delete;
  AnswerMemory& operator=(const AnswerMemory&) = delete;

  // The memory of one response, given back when the share is destroyed.
  class Share {
   public:
    ~Share();
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;

    void progressed() { read_at_ = memory_.env_.now(); }  // the client has read a part
    bool gave_way() const { return gave_way_; }           // its connection was ended for others

   private:
    friend class AnswerMemory;
    Share(AnswerMemory& memory, uint64_t id, Stream& stream, size_t bytes)
        : memory_(memory), id_(id), stream_(stream), bytes_(bytes), begun_at_(memory.env_.now()), read_at_(begun_at_) {}

    AnswerMemory& memory_;
    const uint64_t id_;
    Stream& stream_;
    const size_t bytes_;
    const MonoTime begun_at_;
    MonoTime read_at_;
    bool gave_way_ = false;
  };

  // nullptr: there is no room. `stream` outlives the share.
  std::unique_ptr<Share> open(Stream& stream, size_t bytes);
  size_t used_bytes() const { return used_; }
  size_t bytes_max() const { return bytes_max_; }

 private:
  bool full(size_t used, size_t bytes) const { return used > 0 && used + bytes > bytes_max_; }
  std::vector<Share*> stalled() const;
  std::vector<Share*> slow(const std::string& newcomer) const;
  size_t held_by(const std::string& address) const;
  void give_way(Share& share);

  Env& env_;
  const size_t bytes_max_;
  std::map<uint64_t, Share*> shares_;  // by id: the oldest first. Without those that gave way
  uint64_t next_id_ = 1;
  size_t used_ = 0;
};

}  // namespace farshore::broker
