// ControlServer: the control API over gRPC, with gRPC's health and reflection services. Listens on loopback only: the
// API has no authentication of its own. Order: start it last; stop() it first (it waits for calls under way), then the
// gateway, then the executor.
#pragma once

#include <memory>
#include <string>

#include "base/env.h"
#include "linker/gateway.h"

namespace farshore::linker {

class ControlServer {
 public:
  // On the executor. `gateway` and `env` outlive it.
  ControlServer(Env& env, Gateway& gateway);
  ~ControlServer();

  // Listens at `address` (host:port, port 0: any). kAlreadyExists: the port is taken. kInvalidArgument: not loopback
  // (the API has no authentication of its own).
  Result<Endpoint> start(const Endpoint& address);
  // From any thread but the executor's: refuses new calls, ends streams, waits for the rest.
  void stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace farshore::linker
