// NetworkConditions: how the proxy delays, limits and breaks the traffic between two programs, and the commands that
// change it. The command line, the timeline and stdin use the same commands; README.md lists them.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"

namespace farshore::net_proxy {

// Seen from the program that connected: its bytes go forward, answers come back.
enum Direction : size_t { kForward = 0, kBack = 1 };
using BothWays = std::array<bool, 2>;

struct NetworkConditions {
  // The line. `heal` does not change it.
  Duration one_way_delay{};             // half of the round trip
  Duration jitter{};                    // on top: uniform in [0, jitter], bytes never overtake each other
  uint64_t bytes_per_s = 0;             // of each direction, for all connections together; 0: no limit
  size_t chunk_bytes = 0;               // the most in one send; 0: no limit
  size_t buffer_bytes_max = 256 << 20;  // the most that is received but not delivered, per connection and direction

  // Faults.
  BothWays black_hole{};  // nothing is read or delivered; sockets stay open
  BothWays swallowed{};   // bytes are read, counted and dropped
  bool cut = false;       // connections were ended; new ones are reset at once
};

enum class Event : uint8_t {
  kNone,      // only the conditions changed, or nothing
  kCut,       // ends every connection in good order
  kReset,     // resets every connection; new ones are accepted
  kHalfOpen,  // resets the connections to the target; the clients notice nothing until `heal`
  kHeal,
  kStats,
  kQuit
};

// Applies one command to `conditions`. The event is for the caller. kInvalidArgument: lists the possible commands.
Result<Event> apply_command(std::string_view command, NetworkConditions& conditions);

// "250ms", "5s", "20us". kInvalidArgument otherwise.
Result<Duration> parse_duration(std::string_view text);

}  // namespace farshore::net_proxy
