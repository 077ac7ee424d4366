#include "linker/target/cluster_identity.h"

#include "linker/store/testing/kafka_fixture.h"
#include "proto/kafka/messages/link_state.h"
#include "proto/kafka/messages/mirror_append.h"
#include "proto/kafka/messages/mirror_control.h"

namespace farshore::linker {
namespace {

class ClusterIdentityTest : public KafkaFixture {};

ASYNC_TEST_F(ClusterIdentityTest, BrokerOfAnotherReleaseIsRefusedWithItsVersion) {
  kafka_.private_apis = {{kafka::MirrorAppendRequest::kApiKey, 0, 0},
                         {kafka::MirrorControlRequest::kApiKey, 0, 0},
                         {kafka::LinkStateRequest::kApiKey, 0, 0}};
  std::vector<Endpoint> at{Endpoint{"kafka", 9092}};
  ClusterAdmin target(env_, env_.network(), "target", std::move(at), "");
  auto identity = co_await identify(target, soon());
  EXPECT_ERROR(identity, ErrorCode::kUnsupported);
  const std::string& detail = identity.error().detail;
  EXPECT_NE(detail.find("target: broker kafka:9092: it speaks MirrorControl 0, and this program needs 1"),
            std::string::npos)
      << detail;
}

ASYNC_TEST_F(ClusterIdentityTest, ApacheKafkaIsNotAFarshoreCluster) {
  std::vector<Endpoint> at{Endpoint{"kafka", 9092}};
  ClusterAdmin target(env_, env_.network(), "target", std::move(at), "");
  auto identity = co_await identify(target, soon());
  CO_ASSERT_OK(identity);
  EXPECT_FALSE(identity->farshore);
  EXPECT_EQ(identity->cluster_id, ClusterId("fake-cluster"));
}

}  // namespace
}  // namespace farshore::linker
