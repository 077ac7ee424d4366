// RealEnv: the Env of a real process. One io_context, run by one thread; a pool for what blocks; TCP, POSIX files, the
// kernel's clocks, spdlog to stderr. Everything is called on its executor, except stop() and post().
//
//   RealEnv env(options);
//   Broker broker(env, ...);            // starts its coroutines through gates
//   env.run();                          // until stop(); then what still waits is abandoned and env.dead() is true
//                                       // owners are destroyed after run(), before env
#pragma once

#include <functional>
#include <memory>

#include "base/env.h"

namespace farshore {

class BlockingPool;

// A Logger that writes lines to stderr (spdlog).
std::unique_ptr<Logger> make_stderr_logger(LogLevel level);

struct RealEnvOptions {
  // First, so that a program which brings another logger does not need spdlog at run time (libfarshore).
  std::unique_ptr<Logger> (*make_logger)(LogLevel level) = make_stderr_logger;
  LogLevel log_level = LogLevel::kInfo;
  size_t blocking_threads = 4;      // started when needed
  size_t blocking_jobs_max = 1024;  // queued and running; more callers wait
  int socket_send_bytes = 0;        // of every TCP connection; 0: the kernel tunes it
  int socket_receive_bytes = 0;     // set both for long fat paths where net.ipv4.tcp_[rw]mem is small
  // For the whole process, unless it has a handler of its own: sendfile has no MSG_NOSIGNAL. False where the process
  // belongs to somebody else: then Stream::write_file() may raise SIGPIPE.
  bool ignore_sigpipe = true;
};

class RealEnv final : public Env {
 public:
  explicit RealEnv(RealEnvOptions options = {});
  ~RealEnv() override;  // shutdown()

  void post(Closure work) override;
  MonoTime now() override;
  TimerId arm(MonoTime at, std::function<void()> fn) override;
  void cancel(TimerId timer) override;
  bool dead() const override;
  WallTime wall_now() override;
  Random& random() override;
  Network& network() override;
  FileSystem& files() override;
  Logger& log() override;
  MetricRegistry& metrics() override;

  // Runs handlers on this thread until stop(), then shutdown().
  void run();
  // Runs handlers for at most `limit`, or until stop(), or until `done` (asked after each handler) is true: for tests
  // and for embedders with a loop of their own.
  void run_for(Duration limit, const std::function<bool()>& done = nullptr);
  // Makes run() and run_for() return soon, now or when they are called. From any thread, and from handlers.
  void stop();
  // Waits for the pool's running jobs, abandons all waits and destroys their frames. Nothing runs afterwards.
  void shutdown();

  // Resolves with the number of the first SIGTERM or SIGINT; a second one ends the process as if unhandled.
  Task<Result<int>> terminated();
  BlockingPool& pool();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace farshore
