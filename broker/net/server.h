// Listens, and keeps the client connections within their limits (reliability: a flood of connections costs little).
// Executor: the broker's. Owner: Broker.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/gate.h"
#include "broker/net/connection.h"

namespace farshore::broker {

class Server {
 public:
  explicit Server(Services& services);
  ~Server();

  // kAlreadyExists: the port is taken.
  Task<Status> listen();
  void start();  // accepts from now on
  Endpoint local() const { return listener_->local(); }
  // Stops accepting, lets what is being served be answered, closes all connections, waits for them.
  Task<void> stop();
  // The first half of it: nothing new comes in, waits of connections are told.
  void refuse_new();

 private:
  Task<void> accept_loop();
  Task<void> serve(std::shared_ptr<Connection> connection, uint64_t id);
  Task<void> pace();

  Services& services_;
  SlabWriter chunks_;
  Budget frames_;
  std::unique_ptr<Listener> listener_;
  std::map<uint64_t, std::shared_ptr<Connection>> connections_;
  std::map<std::string, size_t> by_address_;
  uint64_t next_id_ = 1;
  double tokens_ = 0;  // of the connection rate
  MonoTime refilled_;
  Notifier left_;
  Event stopping_;
  Gate gate_;
};

}  // namespace farshore::broker
