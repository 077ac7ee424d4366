// WatchedCluster: a cluster that is asked again and again. It knows how long to wait until the next question, and takes
// up connections anew where a failed answer would otherwise last for ever. Executor: the Env's.
#pragma once

#include <memory>

#include "offsets/client/target/internal/env_thread.h"
#include "offsets/client/target/internal/sasl_connector.h"

namespace farshore::client {

// True if only a person can repair it: credentials, permissions, another cluster at the address.
bool is_refusal(const Error& error);

class WatchedCluster {
 public:
  static constexpr Duration kEvery = seconds(1), kSlowest = seconds(5);

  WatchedCluster(Env& env, std::vector<Endpoint> bootstrap, ConnectionSecurity security, Duration request_timeout);

  // Not while a call on an earlier client() is under way.
  kafka::ClusterClient& client() { return *client_; }
  void close() { client_->close(); }

  // Takes note of how a question ended.
  void answered() { failures_ = 0; }
  // True: client() is another one now. If another cluster answers than before, the next question accepts it: it may be
  // the right one, and the first answer came from a wrong one.
  bool failed(const Error& error);
  Duration pause() const;  // until the next question

 private:
  void connect();
  Env& env_;
  const std::vector<Endpoint> bootstrap_;
  const Duration request_timeout_;
  SaslConnector connector_;
  std::unique_ptr<kafka::ClusterClient> client_;
  int failures_ = 0;  // in a row
};

}  // namespace farshore::client
