// SinkLane: a sink's connection to one broker of the target, with the partitions that wait to be sent there. It opens
// the connection, asks its sink for the next request whenever one may leave, and hands answers back. While requests are
// on their way the next one gathers. MirrorSink and RelaySink differ in what a request holds and in what a lost
// connection means (SinkLaneOwner); everything else about a connection is here.
//
//   pump is ready -> queue() -> lane_send(): take keys, build a request, send() -> answer -> the sink, then its pumps
//
// SinkLanes: the lanes of one sink, one per broker.
// Executor: the replicator's. Every request and every attempt to connect ends by SinkLaneOptions::timeout.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "base/env.h"
#include "base/gate.h"
#include "proto/kafka/client/cluster_client.h"
#include "replicator/source_state.h"

namespace farshore::replicator {

class SinkLane;

struct SinkLaneOptions {
  const char* name = "sink lane";    // of the lane's coroutine, in logs
  Duration timeout = seconds(10);    // of a request, and of connecting
  Duration idle_after = seconds(5);  // without a request, before lane_idle()
};

// The sink. Called from the lane's own coroutine, but for lane_may_still_send() and answers.
class SinkLaneOwner {
 public:
  virtual ~SinkLaneOwner() = default;
  // A request may leave now.
  virtual bool lane_may_send(const SinkLane& lane) = 0;
  // Builds the next request from the queued keys and sends it by SinkLane::send(). Sending nothing is allowed.
  virtual void lane_send(SinkLane& lane) = 0;
  // Connected, nothing under way, and nothing was sent for SinkLaneOptions::idle_after.
  virtual void lane_idle(SinkLane& lane) = 0;
  // No connection could be opened: `key`, which was queued, is queued no longer.
  virtual void lane_unreachable(SinkLane& lane, const LinkPartition& key, const Error& error) = 0;
  // The connection ended. All requests on it have failed or were answered.
  virtual void lane_lost(SinkLane&) {}
  // Before the first connection that is opened after one was lost. An error is one of opening it.
  virtual Task<Status> lane_reopens(SinkLane&) { co_return ok(); }
  // Asked once more right before a request is written. An error is the answer to the request, and nothing is written.
  virtual Status lane_may_still_send() { return ok(); }
};

class SinkLane {
 public:
  // References outlive the lane. Work runs in `gate`.
  SinkLane(Env& env, kafka::ClusterClient& target, int32_t broker, const SinkLaneOptions& options, SinkLaneOwner& owner,
           Gate& gate);

  int32_t broker() const { return broker_; }
  size_t in_flight() const { return in_flight_; }      // requests
  Duration round_trip() const { return round_trip_; }  // of the slowest connection so far; 0: none yet

  // The keys that wait, oldest first. The sink sees to it that a key is queued once.
  void queue(const LinkPartition& key);
  const std::deque<LinkPartition>& queued() const { return queue_; }
  std::optional<LinkPartition> next_queued();
  std::deque<LinkPartition> take_queue() { return std::exchange(queue_, {}); }

  // Only from lane_send() and lane_idle(). The request gets its place on the wire at once, so that requests arrive in
  // the order in which their batches were taken. `answered(Result<Response>)` is called once, but not after stop().
  template <class Request, class Answered>
  void send(Request request, Answered answered, int16_t version_max = kafka::Client::kNewest) {
    ++in_flight_;
    auto answer = client_->call(std::move(request), env_.in(options_.timeout), version_max);
    spawn(gate_, "append", receive(std::move(answer), std::move(answered)));
  }
  void disconnect();  // opened again with the next request

  Task<void> run();  // until stop()
  void stop();

 private:
  template <class Response, class Answered>
  Task<void> receive(Task<Result<Response>> answer, Answered answered) {
    std::optional<Result<Response>> response;
    if (Status may = owner_.lane_may_still_send(); !may) {
      response.emplace(std::move(may).error());
    } else {
      auto received = co_await std::move(answer);
      if (!received) client_->close();  // what follows on this connection fails too
      response.emplace(std::move(received));
    }
    --in_flight_;
    if (!stopping_) answered(std::move(*response));
    wake_.notify();
  }
  bool broken() const { return client_ && !client_->usable(); }
  Task<void> wait();
  Task<Status> connect();
  void fail_queued(const Error& error);

  Env& env_;
  kafka::ClusterClient& target_;
  const int32_t broker_;
  const SinkLaneOptions& options_;
  SinkLaneOwner& owner_;
  Gate& gate_;
  Notifier wake_;
  std::unique_ptr<kafka::Client> client_;  // its own: bulk data must not hold up control requests
  std::deque<LinkPartition> queue_;
  size_t in_flight_ = 0;
  Duration round_trip_{};
  bool lost_ = false;  // a connection ended, and none was opened since
  bool stopping_ = false;
};

class SinkLanes {
 public:
  // References outlive it.
  SinkLanes(Env& env, kafka::ClusterClient& target, SinkLaneOptions options, SinkLaneOwner& owner);

  SinkLane& to(int32_t broker);  // begins to run when it is first asked for
  size_t requests_in_flight() const;
  Duration round_trip() const;  // of the slowest lane
  Task<void> stop();            // returns when no lane runs any more

 private:
  Env& env_;
  kafka::ClusterClient& target_;
  const SinkLaneOptions options_;
  SinkLaneOwner& owner_;
  std::map<int32_t, std::unique_ptr<SinkLane>> lanes_;  // by broker
  Gate gate_;
};

}  // namespace farshore::replicator
