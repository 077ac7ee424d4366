// EnvThread: an Env that runs on its own thread inside an application. The thread blocks all signals, so the
// application's signal handlers run on the application's threads. Nothing else of the process is changed, and nothing
// is logged: failures are reported in results. Threads: construct, start() and end() on the application's threads;
// everything else runs on the Env's thread.
#pragma once

#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "base/gate.h"
#include "base/real/env.h"
#include "proto/kafka/client/cluster_client.h"

namespace farshore::client {

class EnvThread {
 public:
  EnvThread();
  ~EnvThread();  // precondition: end() was called, or start() was not
  EnvThread(const EnvThread&) = delete;
  EnvThread& operator=(const EnvThread&) = delete;

  Env& env() { return env_; }
  // Holds the tasks of the thread. Tasks that are spawned before start() begin with it.
  Gate& gate() { return gate_; }
  void start();
  void post(std::function<void()> work);  // from any thread, between start() and end()
  // Runs `stop` on the thread: it must make all tasks in the gate end. Waits for them and for the thread.
  void end(std::function<void()> stop);

 private:
  Task<void> close_gate();
  RealEnv env_;
  Gate gate_, closing_;
  std::thread thread_;
};

// Options of a connection from an application. Timeouts are short, because the application waits for each call.
kafka::ClusterOptions cluster_options(std::vector<Endpoint> bootstrap, Duration request_timeout);

}  // namespace farshore::client
