// Scram: the client's side of SCRAM (RFC 5802) without channel binding, as Kafka uses it: four messages, after which
// both sides know that the other one knows the password.
#pragma once

#include <string>

#include "base/result.h"

namespace farshore::client {

class Scram {
 public:
  enum class Hash { kSha256, kSha512 };
  // `nonce`: random text without a comma, new for each use.
  Scram(Hash hash, std::string username, std::string password, std::string nonce);

  std::string first() const;
  // The answer to the server's first message. kPermissionDenied: the server does not follow the protocol.
  Result<std::string> final(const std::string& server_first);
  // kPermissionDenied: the server does not know the password either, or refuses.
  Status verify(const std::string& server_final) const;

 private:
  std::string first_bare() const;
  const Hash hash_;
  const std::string username_, password_, nonce_;
  std::string server_signature_;  // in base64; what the server has to answer
};

}  // namespace farshore::client
