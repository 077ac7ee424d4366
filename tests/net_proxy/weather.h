// What the proxy does to a way between two programs, and the words that say so. One grammar for the command line, the
// timeline and stdin; README.md has the list.
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

struct Weather {
  // The line. `heal` leaves it as it is.
  Duration one_way_delay{};             // half of the round trip
  Duration jitter{};                    // on top: uniform in [0, jitter], bytes never overtake each other
  uint64_t bytes_per_s = 0;             // of each direction, all connections together; 0: no limit
  size_t chunk_bytes = 0;               // at most so many in one send; 0: no limit
  size_t buffer_bytes_max = 256 << 20;  // received and not yet delivered, of one direction of one connection

  // Faults.
  BothWays black_hole{};  // nothing is read or delivered; sockets stay open
  BothWays swallowed{};   // read, counted, thrown away
  bool cut = false;       // connections were ended, new ones are reset at once
};

enum class Event : uint8_t {
  kNone,      // the weather changed, or nothing did
  kCut,       // ends every connection in good order
  kReset,     // ends every connection with a reset; new ones are welcome
  kHalfOpen,  // the far ends go away; those who connected hear nothing of it until `heal`
  kHeal,
  kStats,
  kQuit
};

// Applies one command to `weather`. kInvalidArgument says what would be possible.
Result<Event> obey_words(std::string_view command, Weather& weather);

// "250ms", "5s", "20us". kInvalidArgument otherwise.
Result<Duration> parse_duration(std::string_view text);

}  // namespace farshore::net_proxy
