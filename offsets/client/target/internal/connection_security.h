// ConnectionSecurity: how libfarshore's own connections prove who they are, by the properties that librdkafka uses.
// What our connections cannot do is refused when the object is made, not found out later.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "offsets/client/problem.h"

namespace farshore::client {

struct ConnectionSecurity {
  bool sasl = false;  // security.protocol=sasl_plaintext; false: plaintext
  enum class Mechanism { kPlain, kScramSha256, kScramSha512 };
  Mechanism mechanism = Mechanism::kPlain;
  std::string username, password;
};
std::string mechanism_name(ConnectionSecurity::Mechanism mechanism);  // PLAIN, SCRAM-SHA-256, SCRAM-SHA-512

// nullopt, and `problem` is set (kInvalid): TLS, or a mechanism that our connections do not have. `where` ("source",
// "target") begins its text.
std::optional<ConnectionSecurity> connection_security(const std::string& where,
                                                      const std::map<std::string, std::string>& properties,
                                                      Problem& problem);

}  // namespace farshore::client
