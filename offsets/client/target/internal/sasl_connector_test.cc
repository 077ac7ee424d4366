#include "offsets/client/target/internal/sasl_connector.h"

#include "proto/kafka/error_code.h"
#include "proto/kafka/fake/testing/kafka_world.h"
#include "proto/kafka/messages/sasl_authenticate.h"
#include "proto/kafka/messages/sasl_handshake.h"

namespace farshore::client {
namespace {

using kafka::SaslAuthenticateRequest;
using kafka::SaslAuthenticateResponse;
using kafka::SaslHandshakeRequest;
using kafka::SaslHandshakeResponse;

class SaslConnectorTest : public kafka::KafkaFixture {
 public:
  SaslConnectorTest() : KafkaFixture("app") {
    security_.sasl = true;
    security_.username = "user";
    security_.password = "right";
  }

  // The broker wants PLAIN and knows one user.
  void want_plain() {
    kafka_.answer = [this](kafka::FakeKafka::Call& call) {
      if (call.key() == SaslHandshakeRequest::kApiKey) {
        SaslHandshakeResponse response;
        response.mechanisms = {"PLAIN"};
        const bool known = call.decode<SaslHandshakeRequest>().mechanism == "PLAIN";
        if (!known) response.error_code = static_cast<int16_t>(kafka::ErrorCode::kUnsupportedSaslMechanism);
        call.reply(response);
        return true;
      }
      if (call.key() != SaslAuthenticateRequest::kApiKey) return false;
      const auto request = call.decode<SaslAuthenticateRequest>();
      token_.assign(reinterpret_cast<const char*>(request.auth_bytes.data()), request.auth_bytes.size());
      SaslAuthenticateResponse response;
      if (token_ != std::string("\0user\0right", 11)) {
        response.error_code = static_cast<int16_t>(kafka::ErrorCode::kSaslAuthenticationFailed);
        response.error_message = "no such user or password";
      }
      call.reply(response);
      return true;
    };
  }
  Task<Status> connect() {
    SaslConnector connector(env_, security_);
    Endpoint at{"kafka", kafka::kPort};
    auto stream = co_await connector.connect(std::move(at), soon());
    if (!stream) co_return std::move(stream).error();
    co_return ok();
  }

  ConnectionSecurity security_;
  std::string token_;
};

ASYNC_TEST_F(SaslConnectorTest, RightPasswordIsSentAndAccepted) {
  want_plain();
  auto connected = co_await connect();
  CO_ASSERT_OK(connected);
  EXPECT_EQ(token_, std::string("\0user\0right", 11));
}

ASYNC_TEST_F(SaslConnectorTest, WrongPasswordIsAPermissionDeniedWithKafkasCode) {
  want_plain();
  security_.password = "wrong";
  auto connected = co_await connect();
  EXPECT_ERROR(connected, ErrorCode::kPermissionDenied);
  EXPECT_EQ(kafka::code_in(connected.error()), static_cast<int16_t>(kafka::ErrorCode::kSaslAuthenticationFailed));
  EXPECT_NE(connected.error().detail.find("no such user or password"), std::string::npos);
  EXPECT_EQ(connected.error().detail.find("wrong"), std::string::npos);
}

ASYNC_TEST_F(SaslConnectorTest, MechanismThatTheBrokerDoesNotHaveIsNamedWithThoseThatItHas) {
  want_plain();
  security_.mechanism = ConnectionSecurity::Mechanism::kScramSha256;
  auto connected = co_await connect();
  EXPECT_ERROR(connected, ErrorCode::kUnsupported);
  EXPECT_NE(connected.error().detail.find("PLAIN"), std::string::npos) << connected.error().detail;
}

ASYNC_TEST_F(SaslConnectorTest, BrokerWithoutSaslIsToldFromAnUnreachableOne) {
  kafka_.version_max[SaslHandshakeRequest::kApiKey] = 0;
  auto connected = co_await connect();
  EXPECT_ERROR(connected, ErrorCode::kUnsupported);
  EXPECT_NE(connected.error().detail.find("security.protocol"), std::string::npos) << connected.error().detail;
  security_.sasl = false;
  connected = co_await connect();
  CO_ASSERT_OK(connected);
}

}  // namespace
}  // namespace farshore::client
