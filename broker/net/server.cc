#include "broker/net/server.h"

#include <algorithm>

#include "broker/net/internal/connection.h"

namespace farshore::broker {
namespace {

constexpr Duration kRefusalPause = seconds(10);       // between two log lines about it
constexpr Duration kAcceptPause = milliseconds(100);  // after a failure, e.g. no descriptors left

}  // namespace

Server::Server(Env& env, SlabArena& arena, ServerOptions options, const ApiTable& apis, RequestMetrics& metrics,
               Services& services)
    : env_(env),
      arena_(arena),
      options_(std::move(options)),
      apis_(apis),
      metrics_(metrics),
      services_(services),
      chunks_(arena),
      frames_(std::make_unique<FrameMemory>(env, options_.queued_request_bytes_max)),
      answers_(std::make_unique<AnswerMemory>(env, options_.queued_response_bytes_max)),
      stopping_(env),
      stopped_(env),
      gate_(env) {}

Server::~Server() = default;

Task<Status> Server::listen() {
  CO_TRY(listener_, co_await env_.network().listen(options_.listen));
  tokens_ = options_.connection_rate_max;
  refilled_ = env_.now();
  co_return ok();
}

void Server::start() { spawn(gate_, "accept", accept_loop()); }

void Server::refuse_new() {
  if (!stopping_since_) stopping_since_ = env_.now();
  stopping_.set();
  if (listener_) listener_->close();
  for (auto& [id, connection] : connections_) connection->stop();
}

Task<void> Server::stop() {
  refuse_new();
  Gate cutting(env_);
  spawn(cutting, "cut off slow readers", cut_off());
  co_await gate_.close();
  stopped_.set();
  co_await cutting.close();
}

Task<void> Server::cut_off() {
  auto stopped = co_await stopped_.wait(Deadline(*stopping_since_ + kStopMax));
  if (stopped) co_return;
  for (auto& [id, connection] : connections_) connection->cut_off();
}

// Takes one token of the connection rate; waits for it if there is none.
Task<void> Server::pace() {
  double rate = options_.connection_rate_max;
  while (!stopping_.is_set()) {
    MonoTime now = env_.now();
    tokens_ = std::min(rate, tokens_ + rate * std::chrono::duration<double>(now - refilled_).count());
    refilled_ = now;
    if (tokens_ >= 1) break;
    auto missing = std::chrono::duration<double>((1 - tokens_) / rate);
    (void)co_await stopping_.wait(env_.in(std::chrono::duration_cast<Duration>(missing) + milliseconds(1)));
  }
  tokens_ -= 1;
}

Task<void> Server::accept_loop() {
  while (!stopping_.is_set()) {
    co_await pace();
    if (stopping_.is_set()) break;
    auto stream = co_await listener_->accept();
    if (!stream) {
      if (stream.error() == ErrorCode::kClosed) break;
      env_.log().warn("accept failed", {{"error", stream.error()}});
      (void)co_await stopping_.wait(env_.in(kAcceptPause));
      continue;
    }
    if (stopping_.is_set()) break;
    std::string address = (*stream)->peer().host;
    auto& of_address = by_address_[address];
    if (connections_.size() >= options_.connections_max || of_address >= options_.connections_per_ip_max) {
      refuse(address);
      continue;  // the stream closes as it goes
    }
    ++of_address;
    uint64_t id = next_id_++;
    const ConnectionServices shared{env_, arena_, options_, apis_, metrics_, services_, chunks_, *frames_, *answers_};
    auto connection = std::make_shared<Connection>(shared, std::move(*stream), id);
    connections_[id] = connection;
    metrics_.connections_accepted.add();
    metrics_.connections.set(static_cast<double>(connections_.size()));
    spawn(gate_, "connection", serve(std::move(connection), id));
  }
}

// At once: a client that is kept waiting holds a descriptor, which the logs need.
void Server::refuse(const std::string& address) {
  metrics_.closed("refused");
  if (by_address_[address] == 0) by_address_.erase(address);
  const MonoTime now = env_.now();
  if (refusal_said_at_ && now < *refusal_said_at_ + kRefusalPause) return;
  refusal_said_at_ = now;
  env_.log().warn("connections are refused", {{"peer", address},
                                              {"connections", connections_.size()},
                                              {"max.connections in force", options_.connections_max},
                                              {"max.connections.per.ip", options_.connections_per_ip_max}});
}

Task<void> Server::serve(std::shared_ptr<Connection> connection, uint64_t id) {
  co_await connection->run();
  auto address = by_address_.find(connection->peer().host);
  if (address != by_address_.end() && --address->second == 0) by_address_.erase(address);
  connections_.erase(id);
  metrics_.connections.set(static_cast<double>(connections_.size()));
}

}  // namespace farshore::broker
