// The state of one simulated connection, shared by both ends and by the deliveries under way. Internal to this room.
#pragma once

#include <deque>
#include <optional>
#include <vector>

#include "base/net.h"
#include "base/sim/net.h"
#include "base/wait.h"

namespace farshore::sim {

struct Chunk {
  std::vector<std::byte> bytes;
  size_t taken = 0;  // by reads
  Duration sent{}, arrives{};
  bool end = false;  // the sender closed in good order
};

struct Connection {
  struct Side {
    SimEnv* env = nullptr;  // stays valid: processes live as long as the world
    SimHost* host = nullptr;
    Endpoint local, peer;
    bool open = true;  // the application has not closed it, and its process lives
    Error error;       // sticky: why operations fail
    ReadStyle style = ReadStyle::kWhole;
    std::optional<Wait<void>> reader, writer;
  };
  struct Pipe {  // from side i to side 1 - i
    std::deque<Chunk> flight, arrived;
    size_t flight_bytes = 0, arrived_bytes = 0, window = 0;
    Duration busy_until{}, last_arrival{};
    bool scheduled = false, end_arrived = false, credit_scheduled = false, black_hole = false;
    int retries = 0;
    size_t room() const { return window - std::min(window, flight_bytes + arrived_bytes); }
  };
  uint64_t id = 0;
  Side side[2];
  Pipe pipe[2];
};

}  // namespace farshore::sim
