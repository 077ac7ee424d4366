#include "offsets/client/target/internal/scram.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <charconv>
#include <map>
#include <utility>

namespace farshore::client {
namespace {

constexpr int kIterationsMin = 4096, kIterationsMax = 1'000'000;  // RFC 7677; more would only burn the client's time
constexpr const char* kNoBinding = "biws";                        // base64 of "n,,"

const unsigned char* octets(const std::string& text) { return reinterpret_cast<const unsigned char*>(text.data()); }

const EVP_MD* digest_of(Scram::Hash hash) { return hash == Scram::Hash::kSha256 ? EVP_sha256() : EVP_sha512(); }

std::string hmac(Scram::Hash hash, const std::string& key, const std::string& text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
  unsigned size = 0;
  HMAC(digest_of(hash), key.data(), static_cast<int>(key.size()), octets(text), text.size(), out.data(), &size);
  return {reinterpret_cast<const char*>(out.data()), size};
}

std::string sum_of(Scram::Hash hash, const std::string& text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), out.data(), &size, digest_of(hash), nullptr);
  return {reinterpret_cast<const char*>(out.data()), size};
}

std::string salted(Scram::Hash hash, const std::string& password, const std::string& salt, int iterations) {
  std::string out(static_cast<size_t>(EVP_MD_get_size(digest_of(hash))), '\0');
  PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()), octets(salt), static_cast<int>(salt.size()),
                    iterations, digest_of(hash), static_cast<int>(out.size()),
                    reinterpret_cast<unsigned char*>(out.data()));
  return out;
}

std::string to_base64(const std::string& bytes) {
  std::string out((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const int size =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()), octets(bytes), static_cast<int>(bytes.size()));
  out.resize(static_cast<size_t>(size));
  return out;
}

bool from_base64(const std::string& text, std::string& bytes) {
  if (text.empty() || text.size() % 4 != 0) return false;
  bytes.assign(text.size() / 4 * 3, '\0');
  if (EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()), octets(text), static_cast<int>(text.size())) < 0)
    return false;
  const size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
  bytes.resize(bytes.size() - padding);
  return true;
}

// a=...,b=...
std::map<char, std::string> attributes(const std::string& message) {
  std::map<char, std::string> out;
  for (size_t at = 0; at < message.size();) {
    const size_t comma = std::min(message.find(',', at), message.size());
    if (comma >= at + 2 && message[at + 1] == '=') out[message[at]] = message.substr(at + 2, comma - at - 2);
    at = comma + 1;
  }
  return out;
}

std::string escaped_name(const std::string& name) {
  std::string out;
  for (char c : name) out += c == '=' ? "=3D" : c == ',' ? "=2C" : std::string(1, c);
  return out;
}

Error refused(const std::string& text) { return Error(ErrorCode::kPermissionDenied, "SASL SCRAM: " + text); }

}  // namespace

Scram::Scram(Hash hash, std::string username, std::string password, std::string nonce)
    : hash_(hash), username_(std::move(username)), password_(std::move(password)), nonce_(std::move(nonce)) {}

std::string Scram::first_bare() const { return "n=" + escaped_name(username_) + ",r=" + nonce_; }
std::string Scram::first() const { return "n,," + first_bare(); }

Result<std::string> Scram::final(const std::string& server_first) {
  const auto said = attributes(server_first);
  if (said.contains('e')) return refused("the server refuses: " + said.at('e'));
  std::string salt;
  int iterations = 0;
  if (!said.contains('r') || !said.contains('s') || !said.contains('i') || !from_base64(said.at('s'), salt))
    return refused("the server's first message has no nonce, salt or iterations");
  const std::string& count = said.at('i');
  auto [end, failed] = std::from_chars(count.data(), count.data() + count.size(), iterations);
  if (failed != std::errc() || *end != 0 || iterations < kIterationsMin || iterations > kIterationsMax)
    return refused("the server asks for " + count + " iterations");
  const std::string& nonce = said.at('r');
  if (!nonce.starts_with(nonce_) || nonce.size() == nonce_.size())
    return refused("the server answers with another nonce");
  const std::string without_proof = std::string("c=") + kNoBinding + ",r=" + nonce;
  const std::string exchanged = first_bare() + "," + server_first + "," + without_proof;
  const std::string secret = salted(hash_, password_, salt, iterations);
  const std::string client_key = hmac(hash_, secret, "Client Key");
  std::string proof = hmac(hash_, sum_of(hash_, client_key), exchanged);
  for (size_t i = 0; i < proof.size(); ++i) proof[i] = static_cast<char>(proof[i] ^ client_key[i]);
  server_signature_ = to_base64(hmac(hash_, hmac(hash_, secret, "Server Key"), exchanged));
  return without_proof + ",p=" + to_base64(proof);
}

Status Scram::verify(const std::string& server_final) const {
  const auto said = attributes(server_final);
  if (said.contains('e')) return refused("the server refuses: " + said.at('e'));
  if (server_signature_.empty() || !said.contains('v') || said.at('v') != server_signature_)
    return refused("the server does not know the password");
  return ok();
}

}  // namespace farshore::client
