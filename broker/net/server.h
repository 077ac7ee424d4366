// Server: listens, and keeps the number of client connections within its limits, so that a flood of connections costs
// little.
// Executor: the broker's. Owner: Broker.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/env.h"
#include "base/event.h"
#include "base/gate.h"
#include "base/slab.h"
#include "broker/net/api_table.h"
#include "broker/net/request_metrics.h"
#include "broker/net/server_options.h"

namespace farshore::broker {

class AnswerMemory;
class Connection;
class FrameMemory;
struct Services;

class Server {
 public:
  // `services` is passed on to the handlers, and may still be under construction. All references outlive the server.
  Server(Env& env, SlabArena& arena, ServerOptions options, const ApiTable& apis, RequestMetrics& metrics,
         Services& services);
  ~Server();

  // kAlreadyExists: the port is taken.
  Task<Status> listen();
  void start();  // accepts from now on
  Endpoint local() const { return listener_->local(); }
  // Stops accepting, answers requests that are being served, closes all connections, waits for them. A client that has
  // not read its answer kStopMax after refuse_new() is cut off. Handlers that wait for something else than
  // ConnectionState::closed have to be told by whoever they wait for.
  static constexpr Duration kStopMax = seconds(10);
  Task<void> stop();
  // The first half of stop(): accepts no connection and no request any more, and ends long polls.
  void refuse_new();

 private:
  Task<void> accept_loop();
  Task<void> serve(std::shared_ptr<Connection> connection, uint64_t id);
  Task<void> pace();
  Task<void> cut_off();
  void refuse(const std::string& address);

  Env& env_;
  SlabArena& arena_;
  const ServerOptions options_;
  const ApiTable& apis_;
  RequestMetrics& metrics_;
  Services& services_;
  SlabWriter chunks_;
  std::unique_ptr<FrameMemory> frames_;
  std::unique_ptr<AnswerMemory> answers_;
  std::unique_ptr<Listener> listener_;
  std::map<uint64_t, std::shared_ptr<Connection>> connections_;
  std::map<std::string, size_t> by_address_;
  uint64_t next_id_ = 1;
  double tokens_ = 0;  // of the connection rate
  MonoTime refilled_;
  std::optional<MonoTime> refusal_said_at_;
  std::optional<MonoTime> stopping_since_;
  Event stopping_, stopped_;
  Gate gate_;
};

}  // namespace farshore::broker
