#include "offsets/client/target/internal/sasl_connector.h"

#include <algorithm>
#include <utility>

#include "offsets/client/target/internal/scram.h"
#include "proto/kafka/error_code.h"
#include "proto/kafka/frame.h"
#include "proto/kafka/messages/api_versions.h"
#include "proto/kafka/messages/sasl_authenticate.h"
#include "proto/kafka/messages/sasl_handshake.h"

namespace farshore::client {
namespace {

constexpr size_t kAnswerBytesMax = 1 << 20;
constexpr int16_t kHandshakeVersion = 1;  // the tokens then travel in SaslAuthenticate requests

// One request and its answer. There is only one at a time, so its correlation id need not be looked at.
template <class Request>
Task<Result<typename Request::Response>> sasl_call(Stream& stream, Request request, int16_t version,
                                                   Deadline deadline) {
  kafka::Writer writer;
  const kafka::ApiInfo* api = kafka::find_api(Request::kApiKey);
  kafka::begin_request(writer, *api, version, 0, "libfarshore");
  request.encode(writer, version);
  CO_TRY(auto message, kafka::finish_frame(writer));
  CO_CHECK(co_await kafka::write_message(stream, message, deadline));
  kafka::Bytes size(sizeof(int32_t));
  CO_CHECK(co_await read_exact(stream, size, deadline));
  kafka::Reader length(size);
  CO_TRY(size_t bytes, kafka::frame_size(length.i32(), kAnswerBytesMax));
  kafka::Bytes body(bytes);
  CO_CHECK(co_await read_exact(stream, body, deadline));
  kafka::Reader reader(body);
  (void)reader.i32();  // the correlation id
  if (api->response_header_version(version) >= 1) reader.skip_tagged_fields();
  co_return Request::Response::decode(reader, version);
}

}  // namespace

Task<Result<std::unique_ptr<Stream>>> SaslConnector::connect(Endpoint to, Deadline deadline) {
  CO_TRY(auto stream, co_await env_.network().connect(std::move(to), deadline));
  if (security_.sasl) CO_CHECK(co_await log_in(*stream, deadline));
  co_return std::move(stream);
}

Task<Status> SaslConnector::log_in(Stream& stream, Deadline deadline) {
  CO_CHECK(co_await check_broker(stream, deadline));
  kafka::SaslHandshakeRequest hello;
  hello.mechanism = mechanism_name(security_.mechanism);
  CO_TRY(auto answer, co_await sasl_call(stream, std::move(hello), kHandshakeVersion, deadline));
  if (answer.error_code != 0) {
    std::string has;
    for (const auto& each : answer.mechanisms) has += (has.empty() ? "" : ", ") + std::string(each);
    co_return Error(ErrorCode::kUnsupported,
                    kafka::to_error(answer.error_code, "SASL").detail + "; the broker has the mechanisms: " + has);
  }
  if (security_.mechanism == ConnectionSecurity::Mechanism::kPlain) co_return co_await plain(stream, deadline);
  co_return co_await scram(stream, deadline);
}

// A broker without SASL would end the connection without a word.
Task<Status> SaslConnector::check_broker(Stream& stream, Deadline deadline) {
  kafka::ApiVersionsRequest question;
  CO_TRY(auto versions, co_await sasl_call(stream, std::move(question), int16_t{0}, deadline));
  const bool has = std::any_of(versions.api_keys.begin(), versions.api_keys.end(), [](const auto& each) {
    return each.api_key == kafka::SaslHandshakeRequest::kApiKey && each.max_version >= kHandshakeVersion;
  });
  if (has) co_return ok();
  co_return Error(ErrorCode::kUnsupported,
                  "the broker has no SASL, but security.protocol asks for it: set source.security.protocol or "
                  "target.security.protocol to plaintext for the cluster that has none");
}

Task<Result<std::string>> SaslConnector::authenticate(Stream& stream, std::string message, Deadline deadline) {
  kafka::SaslAuthenticateRequest request;
  const auto* bytes = reinterpret_cast<const std::byte*>(message.data());
  request.auth_bytes.assign(bytes, bytes + message.size());
  CO_TRY(auto answer, co_await sasl_call(stream, std::move(request), int16_t{0}, deadline));
  if (answer.error_code != 0) {
    Error error = kafka::to_error(answer.error_code, "SASL " + mechanism_name(security_.mechanism));
    if (answer.error_message) error.detail += ": " + std::string(*answer.error_message);
    co_return error;
  }
  co_return std::string(reinterpret_cast<const char*>(answer.auth_bytes.data()), answer.auth_bytes.size());
}

Task<Status> SaslConnector::plain(Stream& stream, Deadline deadline) {
  std::string token = '\0' + security_.username + '\0' + security_.password;
  CO_TRY(auto ignored, co_await authenticate(stream, std::move(token), deadline));
  (void)ignored;
  co_return ok();
}

Task<Status> SaslConnector::scram(Stream& stream, Deadline deadline) {
  const bool long_hash = security_.mechanism == ConnectionSecurity::Mechanism::kScramSha512;
  Scram scram(long_hash ? Scram::Hash::kSha512 : Scram::Hash::kSha256, security_.username, security_.password, nonce());
  CO_TRY(std::string server_first, co_await authenticate(stream, scram.first(), deadline));
  CO_TRY(std::string final, scram.final(server_first));
  CO_TRY(std::string server_final, co_await authenticate(stream, std::move(final), deadline));
  co_return scram.verify(server_final);
}

std::string SaslConnector::nonce() {
  std::string out;
  for (int i = 0; i < 4; ++i) out += std::to_string(env_.random().next());
  return out;
}

}  // namespace farshore::client
