#include "offsets/client/target/internal/connection_security.h"

#include <algorithm>
#include <cctype>

namespace farshore::client {
namespace {

using Mechanism = ConnectionSecurity::Mechanism;

std::string upper_of(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::toupper(c); });
  return text;
}

// The first of `names` that is set; librdkafka has two names for some properties.
std::string value_of(const std::map<std::string, std::string>& properties, std::initializer_list<const char*> names) {
  for (const char* name : names)
    if (auto found = properties.find(name); found != properties.end()) return found->second;
  return {};
}

std::optional<Mechanism> parse_mechanism(const std::string& text) {
  for (auto each : {Mechanism::kPlain, Mechanism::kScramSha256, Mechanism::kScramSha512})
    if (upper_of(text) == mechanism_name(each)) return each;
  return std::nullopt;
}

}  // namespace

std::string mechanism_name(Mechanism mechanism) {
  switch (mechanism) {
    case Mechanism::kPlain:
      return "PLAIN";
    case Mechanism::kScramSha256:
      return "SCRAM-SHA-256";
    case Mechanism::kScramSha512:
      return "SCRAM-SHA-512";
  }
  return {};
}

std::optional<ConnectionSecurity> connection_security(const std::string& where,
                                                      const std::map<std::string, std::string>& properties,
                                                      Problem& problem) {
  const auto refuse = [&](const std::string& text) {
    problem = Problem(Problem::Kind::kInvalid, where + ": " + text);
    return std::nullopt;
  };
  ConnectionSecurity out;
  const std::string protocol = upper_of(value_of(properties, {"security.protocol"}));
  if (protocol.empty() || protocol == "PLAINTEXT") return out;
  if (protocol != "SASL_PLAINTEXT")
    return refuse("security.protocol=" + protocol +
                  ": the connections that ask the target and probe the source have no TLS: use plaintext or "
                  "sasl_plaintext, for example through a TLS proxy beside the application");
  out.sasl = true;
  const std::string mechanism = value_of(properties, {"sasl.mechanism", "sasl.mechanisms"});
  auto parsed = parse_mechanism(mechanism.empty() ? "GSSAPI" : mechanism);
  if (!parsed)
    return refuse("sasl.mechanism=" + (mechanism.empty() ? "GSSAPI (the default)" : mechanism) +
                  ": the connections that ask the target and probe the source have PLAIN, SCRAM-SHA-256 and "
                  "SCRAM-SHA-512");
  out.mechanism = *parsed;
  out.username = value_of(properties, {"sasl.username"});
  out.password = value_of(properties, {"sasl.password"});
  if (out.username.empty() || out.password.empty()) return refuse("sasl.username and sasl.password must be given");
  return out;
}

}  // namespace farshore::client
