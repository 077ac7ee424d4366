// Connection: one client connection. One coroutine reads frames, at most one ahead, and a large one only when
// nothing is being served; another serves them in order. An
// error of framing, an unknown API or an unknown version ends the connection, as Kafka does. Executor: the broker's.
// Owner: Server.
#pragma once

#include <boost/container/small_vector.hpp>
#include <memory>
#include <optional>

#include "base/gate.h"
#include "broker/net/api_table.h"
#include "broker/net/internal/answer_memory.h"
#include "broker/net/internal/frame_reader.h"
#include "broker/net/request_context.h"
#include "broker/net/request_metrics.h"
#include "broker/net/server_options.h"

namespace farshore::broker {

// Objects that all connections of a server share. All of them outlive the connections.
struct ConnectionServices {
  Env& env;
  SlabArena& arena;
  const ServerOptions& options;
  const ApiTable& apis;
  RequestMetrics& metrics;
  Services& services;  // for the handlers
  SlabWriter& chunks;  // see FrameReader
  FrameMemory& frames;
  AnswerMemory& answers;
};

class Connection {
 public:
  Connection(ConnectionServices server, std::unique_ptr<Stream> stream, uint64_t id);
  ~Connection();

  // Until the client is gone, misbehaves or stop(). Run once.
  Task<void> run();
  // Reads nothing more. A request that is being served is answered first.
  void stop();
  // Ends the connection, whatever is being written to it.
  void cut_off() { stream_->close(); }
  const Endpoint& peer() const { return state_.peer; }

 private:
  Task<void> read_loop();
  // False: end the connection.
  Task<bool> serve(Frame& frame);
  Task<bool> refuse_version(RequestContext& context);
  // False: end the connection.
  Task<bool> answer(const RequestContext& context, const ApiEntry& entry, const kafka::WireMessage& body,
                    bool tagged_header);
  Task<Status> respond(const RequestContext& context, const kafka::WireMessage& body, bool tagged_header);
  using WriteList = boost::container::small_vector<ConstBytes, 16>;
  Task<Status> write(const WriteList& pieces);
  Task<Status> write_file(const kafka::FileRange& range);
  void part_written();
  void refuse(const char* reason, const Error& error);

  const ConnectionServices server_;
  std::unique_ptr<Stream> stream_;
  ConnectionState state_;
  Serving serving_;
  FrameReader frames_;
  std::unique_ptr<AnswerMemory::Share> answer_memory_;  // of the response that is being written, if it is large
  std::optional<Frame> next_;                           // the one read ahead
  Notifier ready_, taken_;
  bool stopping_ = false, ended_ = false;
  Gate gate_;
};

}  // namespace farshore::broker
