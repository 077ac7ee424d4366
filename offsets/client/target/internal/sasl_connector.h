// SaslConnector: connects, and logs in with SASL before the connection is used. Without SASL it only connects.
// Source: the protocol guide of kafka.apache.org; KIP-43, KIP-152 (SaslHandshake 1, SaslAuthenticate).
// Executor: the Env's.
#pragma once

#include <memory>
#include <string>

#include "base/env.h"
#include "offsets/client/target/internal/connection_security.h"
#include "proto/kafka/wire.h"

namespace farshore::client {

class SaslConnector final : public Connector {
 public:
  SaslConnector(Env& env, ConnectionSecurity security) : env_(env), security_(std::move(security)) {}

  // kPermissionDenied: wrong credentials; kUnsupported: the broker has no SASL, or not this mechanism. Else as
  // Connector::connect().
  Task<Result<std::unique_ptr<Stream>>> connect(Endpoint to, Deadline deadline) override;

 private:
  Task<Status> log_in(Stream& stream, Deadline deadline);
  Task<Status> plain(Stream& stream, Deadline deadline);
  Task<Status> scram(Stream& stream, Deadline deadline);
  Task<Status> check_broker(Stream& stream, Deadline deadline);
  Task<Result<std::string>> authenticate(Stream& stream, std::string message, Deadline deadline);
  std::string nonce();

  Env& env_;
  const ConnectionSecurity security_;
};

}  // namespace farshore::client
