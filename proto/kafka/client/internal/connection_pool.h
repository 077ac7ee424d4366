// ConnectionPool: one shared connection to each broker of a cluster. Connects on demand; after a failure it waits
// longer each time before it connects to the same broker again. Executor: the Env's.
#pragma once

#include <map>
#include <memory>

#include "base/env.h"
#include "base/event.h"
#include "proto/kafka/client/cluster_client.h"

namespace farshore::kafka {

class ConnectionPool {
 public:
  // `env`, `connector` and `options` must outlive it.
  ConnectionPool(Env& env, Connector& connector, const ClusterOptions& options);

  // Calls under way and later fail with kClosed.
  void close();
  bool closed() const { return closed_; }
  // Ends the connections; later calls connect again.
  void disconnect();

  // The shared connection to broker `id` at `endpoint`. One caller connects, others wait for it. While the backoff
  // after a failure lasts beyond the deadline, the last error is returned at once.
  Task<Result<std::shared_ptr<Client>>> shared(int32_t id, Endpoint endpoint, Deadline deadline);
  // A connection of the caller's own.
  Task<Result<std::unique_ptr<Client>>> open(Endpoint endpoint, Deadline deadline);
  // A connection to any broker of `view` or any bootstrap address: one that is up, else the first that can be made.
  Task<Result<std::shared_ptr<Client>>> any(std::shared_ptr<const ClusterView> view, Deadline deadline);

  // Sleeps longer with each attempt; ends early when a connection comes up. kTimedOut: the deadline comes first;
  // says why, if no connection is up.
  Task<Status> pause(int attempt, Deadline deadline);

 private:
  struct Connection {
    std::shared_ptr<Client> client;
    bool connecting = false;
    int failures = 0;
    MonoTime retry_at{};
    Error last_error;
  };
  struct Candidate {
    int32_t id;
    Endpoint endpoint;
  };

  std::shared_ptr<Client> usable(int32_t id) const;
  std::string why_all_are_down() const;  // the last error; empty: a connection is up, or none was tried
  // Brokers of `view` first, then the bootstrap addresses, beginning with another one at each call.
  std::vector<Candidate> candidates(const ClusterView& view);
  Deadline connect_deadline(Deadline deadline);
  Duration backoff(int failures);

  Env& env_;
  Connector& connector_;
  const ClusterOptions& options_;
  std::map<int32_t, Connection> connections_;  // by broker id; the bootstrap addresses are -1, -2, ...
  Notifier changed_;                           // a connection came up or failed
  size_t next_bootstrap_ = 0;
  bool closed_ = false;
};

}  // namespace farshore::kafka
