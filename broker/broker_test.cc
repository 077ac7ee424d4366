#include "broker/broker.h"

#include <gtest/gtest.h>

#include "broker/metadata/cluster_image.h"
#include "broker/testing/test_cluster.h"

namespace farshore::broker {
namespace {

Task<void> create_orders(TestCluster& cluster) {
  TestClient client(cluster.client());
  FARSHORE_CO_REQUIRE(co_await client.connect(TestCluster::endpoint()));
  auto request = new_topic("orders", 3, {{"retention.ms", "1000"}});
  auto made = co_await client.call(std::move(request), 7);
  FARSHORE_CO_REQUIRE(made && made->topics.size() == 1);
  EXPECT_EQ(made->topics[0].error_code, 0) << made->topics[0].error_message.value_or("");
}

TEST(Broker, StartNamesTheDirectoryOrThePortThatIsInUse) {
  TestCluster cluster(50);
  ASSERT_TRUE(cluster.try_start());
  // A second broker on the same directory.
  Config config(broker_schema());
  ASSERT_TRUE(config.set("listeners", "PLAINTEXT://east-1:9093"));
  ASSERT_TRUE(config.set("log.dirs", "/data"));
  sim::SimEnv& other = cluster.world().start_process("east-1", "second");
  Broker second(other, other.kv(), config);
  Status status = ok();
  auto start = [](Broker& broker, Status& result) -> Task<void> { result = co_await broker.start(); };
  ASSERT_TRUE(cluster.world().run(other, start(second, status), TestCluster::kLimit));
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kAlreadyExists);
  EXPECT_NE(status.error().detail.find("/data is in use"), std::string::npos) << status.error().detail;
  // And one on a free directory, but a port that is taken.
  ASSERT_TRUE(config.set("listeners", "PLAINTEXT://east-1:9092"));
  ASSERT_TRUE(config.set("log.dirs", "/other"));
  Broker third(other, other.kv(), config);
  ASSERT_TRUE(cluster.world().run(other, start(third, status), TestCluster::kLimit));
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kAlreadyExists);
  EXPECT_NE(status.error().detail.find("9092"), std::string::npos) << status.error().detail;
}

TEST(Broker, RecoversFromAKillAtAnyPointOfItsStart) {
  for (uint64_t n = 1; n <= 91; n += 5) {
    SCOPED_TRACE("killed at resumption " + std::to_string(n));
    TestCluster cluster(200 + n);
    ASSERT_TRUE(cluster.try_start());
    cluster.run(create_orders(cluster));
    cluster.kill();
    auto killed = cluster.try_start(n);
    if (killed) cluster.kill();
    ASSERT_TRUE(cluster.try_start());
    const TopicImage* orders = cluster.broker().image()->topic("orders");
    ASSERT_TRUE(orders);
    EXPECT_GE(orders->partitions[0].leadership_epoch, LeadershipEpoch(1));
    EXPECT_LE(orders->partitions[0].leadership_epoch, LeadershipEpoch(2));
  }
}

}  // namespace
}  // namespace farshore::broker
