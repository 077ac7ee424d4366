// Env: everything that is not deterministic. RealEnv (base/real) is Asio, POSIX files, OpenSSL; SimEnv (base/sim) is
// one thread, a seeded ready queue, virtual time, a simulated network and disk, with faults. Outside base/, no code
// reads a clock, draws a random number, opens a file or socket, or starts a thread. Both promise no order between
// handlers that are ready at the same time, and neither runs one inline.
#pragma once

#include "base/file.h"
#include "base/logger.h"
#include "base/metrics.h"
#include "base/net.h"
#include "base/random.h"
#include "base/wait.h"

namespace farshore {

class Env : public Reactor {
 public:
  virtual WallTime wall_now() = 0;
  virtual Random& random() = 0;
  virtual Network& network() = 0;
  virtual FileSystem& files() = 0;
  virtual Logger& log() = 0;
  virtual MetricRegistry& metrics() = 0;
  // Simulation only: true now and then, to make rare branches common. Always false in a real process.
  virtual bool buggify(const char* /*where*/) { return false; }

  Deadline in(Duration d) { return Deadline(now() + d); }
  // Always waits out the time: for a loop that must also stop, wait for its stop event with a deadline instead.
  Task<void> sleep(Duration d) {
    Wait<void> wait(*this);
    (void)co_await wait.wait(in(d));
  }
};

}  // namespace farshore
