// One client connection: a coroutine that reads frames, one ahead of the one that is being served, and one that serves
// them in order. An error of framing, an unknown API or version ends the connection, as Kafka does.
// Executor: the broker's. Owner: Server.
#pragma once

#include <memory>
#include <optional>

#include "base/gate.h"
#include "broker/net/frame_reader.h"
#include "broker/net/handler.h"
#include "broker/net/request_metrics.h"

namespace farshore::broker {

class Connection {
 public:
  Connection(Services& services, SlabWriter& chunks, Budget& frames, std::unique_ptr<Stream> stream, uint64_t id);
  ~Connection();

  // Until the client is gone, misbehaves or stop(). Run once.
  Task<void> run();
  // Reads nothing more; what is being served is answered first.
  void stop();
  const Endpoint& peer() const { return state_.peer; }

 private:
  Task<void> read_loop();
  // False: end the connection.
  Task<bool> serve(Frame& frame);
  Task<bool> refuse_version(RequestContext& context);
  Task<Status> respond(const RequestContext& context, const kafka::WireMessage& body, bool tagged_header);
  void refuse(const char* reason, const Error& error);

  Services& services_;
  std::unique_ptr<Stream> stream_;
  ConnectionState state_;
  FrameReader frames_;
  std::optional<Frame> next_;  // the one read ahead
  Notifier ready_, taken_;
  bool serving_ = false, stopping_ = false, ended_ = false;
  Gate gate_;
};

}  // namespace farshore::broker
