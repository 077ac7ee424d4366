// EnvThread: an Env with a thread of its own inside an application. The application's signal handlers stay on the
// application's threads, and the log is silent: what matters is in results.
// Executor: construction, start() and end() on the application's threads; everything else on its own.
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
  ~EnvThread();  // end() came first, or start() never did
  EnvThread(const EnvThread&) = delete;
  EnvThread& operator=(const EnvThread&) = delete;

  Env& env() { return env_; }
  // What runs on the thread. Work that is spawned before start() begins with it.
  Gate& gate() { return gate_; }
  void start();
  void post(std::function<void()> work);  // from any thread, between start() and end()
  // Runs `stop` on the thread, which makes what is in the gate end; waits for it, and for the thread.
  void end(std::function<void()> stop);

 private:
  Task<void> close_gate();
  RealEnv env_;
  Gate gate_, closing_;
  std::thread thread_;
};

// How libfarshore speaks to a cluster: an application waits behind each call.
kafka::ClusterOptions cluster_options(std::vector<Endpoint> bootstrap, Duration request_timeout);

}  // namespace farshore::client
