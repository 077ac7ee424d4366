#include "proto/kafka/client/cluster_client.h"

#include "proto/kafka/fake/testing/kafka_world.h"
#include "proto/kafka/messages/create_topics.h"
#include "proto/kafka/messages/find_coordinator.h"
#include "proto/kafka/messages/heartbeat.h"
#include "proto/kafka/messages/metadata.h"

namespace farshore::kafka {
namespace {

class ClusterClientTest : public KafkaWorld {
 public:
  ClusterClientTest() : KafkaWorld(sim::SimOptions{.seed = announced_seed(kUsualSeed)}, "client") {}

  // Makes `at` a broker of a cluster of two: east is broker 1, west is broker 2. Partition 0 of "orders" is led by
  // `leader`. CreateTopics is counted, and the connection ends without an answer.
  void answers(FakeKafka& at) {
    at.fate = [this](int16_t key) {
      if (key != CreateTopicsRequest::kApiKey) return FakeKafka::Fate::kAnswer;
      ++creates;
      return FakeKafka::Fate::kLoseRequest;
    };
    at.answer = [this](FakeKafka::Call& call) {
      if (call.key() == MetadataRequest::kApiKey) {
        call.reply(metadata(call.decode<MetadataRequest>()));
      } else if (call.key() == FindCoordinatorRequest::kApiKey) {
        call.reply(find_coordinator(call.decode<FindCoordinatorRequest>()));
      } else if (call.key() == HeartbeatRequest::kApiKey) {
        call.reply(heartbeat());
      } else {
        return false;
      }
      return true;
    };
  }

  MetadataResponse metadata(MetadataRequest request) {
    ++metadata_requests;
    MetadataResponse response;
    response.cluster_id = cluster_id;
    for (int32_t id : {1, 2}) {
      auto& each = response.brokers.emplace_back();
      each.node_id = id;
      each.host = id == 1 ? "east" : "west";
      each.port = kPort;
    }
    if (!request.topics) request.topics.emplace().emplace_back().name = "orders";
    for (const auto& wanted : *request.topics) {
      auto& topic = response.topics.emplace_back();
      topic.name = wanted.name;
      if (wanted.name != "orders") {
        topic.error_code = static_cast<int16_t>(ErrorCode::kUnknownTopicOrPartition);
        continue;
      }
      auto& partition = topic.partitions.emplace_back();
      partition.leader_id = leader;
      partition.leader_epoch = 5;
      if (leader < 0) partition.error_code = static_cast<int16_t>(ErrorCode::kLeaderNotAvailable);
    }
    return response;
  }
  FindCoordinatorResponse find_coordinator(const FindCoordinatorRequest& request) {
    FindCoordinatorResponse response;
    auto& each = response.coordinators.emplace_back();
    each.key = request.coordinator_keys.at(0);
    each.node_id = coordinator;
    if (coordinator < 0) each.error_code = static_cast<int16_t>(ErrorCode::kCoordinatorNotAvailable);
    return response;
  }
  HeartbeatResponse heartbeat() {
    ++heartbeats;
    HeartbeatResponse response;
    const bool here = serving == (coordinator == 1 ? "east" : "west");
    if (!here) response.error_code = static_cast<int16_t>(ErrorCode::kNotCoordinator);
    return response;
  }

  ClusterOptions options(std::vector<std::string> hosts) {
    ClusterOptions it;
    for (auto& host : hosts) it.bootstrap.push_back(Endpoint{host, kPort});
    return it;
  }

  std::string cluster_id = "C", serving = "east";
  int32_t leader = 1, coordinator = 1;
  int metadata_requests = 0, heartbeats = 0, creates = 0;
};

TEST_F(ClusterClientTest, FindsTheClusterIfOneBootstrapAddressAnswers) {
  answers(start_broker("west"));
  answers(start_broker("east"));
  ClusterClient cluster(env_, env_.network(), options({"nowhere", "west"}));
  auto body = [&]() -> Task<void> {
    auto view = co_await cluster.refresh_all(env_.in(minutes(1)));
    EXPECT_TRUE(view) << view.error().to_string();
    EXPECT_EQ((*view)->cluster_id, "C");
    EXPECT_EQ((*view)->brokers.at(1).endpoint.host, "east");
    TopicPartition partition{"orders", 0};
    auto found = co_await cluster.leader(partition, env_.in(minutes(1)));
    EXPECT_TRUE(found);
    EXPECT_EQ(found->broker, 1);
    EXPECT_EQ(found->epoch, 5);
    auto client = co_await cluster.broker(1, env_.in(minutes(1)));
    EXPECT_TRUE(client);
    EXPECT_EQ((*client)->endpoint().host, "east");
    auto again = co_await cluster.broker(1, env_.in(minutes(1)));
    EXPECT_EQ(*again, *client);
    auto own = co_await cluster.open(1, env_.in(minutes(1)));
    EXPECT_TRUE(own);
    auto nobody = co_await cluster.broker(7, env_.in(minutes(1)));
    EXPECT_EQ(nobody.error().code, farshore::ErrorCode::kNotFound);
  };
  run(body());
  EXPECT_EQ(metadata_requests, 1);
}

TEST_F(ClusterClientTest, LeaderWaitsForAnElectionAndReportsWhatIsMissing) {
  answers(start_broker("east"));
  leader = -1;
  ClusterClient cluster(env_, env_.network(), options({"east"}));
  world_.after(seconds(20), [&] { leader = 1; });
  auto body = [&]() -> Task<void> {
    TopicPartition partition{"orders", 0};
    auto found = co_await cluster.leader(partition, env_.in(minutes(1)));
    EXPECT_TRUE(found);
    int asked = metadata_requests;
    EXPECT_GT(asked, 2);
    cluster.forget_leader(partition);
    found = co_await cluster.leader(partition, env_.in(minutes(1)));
    EXPECT_TRUE(found);
    EXPECT_EQ(metadata_requests, asked + 1);
    TopicPartition none{"orders", 4}, no_topic{"other", 0};
    auto missing = co_await cluster.leader(none, env_.in(minutes(1)));
    EXPECT_EQ(missing.error().code, farshore::ErrorCode::kNotFound);
    missing = co_await cluster.leader(no_topic, env_.in(minutes(1)));
    EXPECT_EQ(missing.error().code, farshore::ErrorCode::kNotFound);
  };
  run(body());
}

TEST_F(ClusterClientTest, RefusesAnotherClusterAtTheSameAddress) {
  answers(start_broker("east"));
  ClusterClient cluster(env_, env_.network(), options({"east"}));
  auto body = [&]() -> Task<void> {
    EXPECT_TRUE(co_await cluster.refresh_all(env_.in(minutes(1))));
    cluster_id = "other";
    auto refused = co_await cluster.refresh_all(env_.in(minutes(1)));
    EXPECT_EQ(refused.error().code, farshore::ErrorCode::kConflict);
    EXPECT_NE(refused.error().detail.find("other"), std::string::npos);
    EXPECT_EQ(cluster.view()->cluster_id, "C");
  };
  run(body());
}

TEST_F(ClusterClientTest, GivesUpAtTheDeadlineAndSaysWhatFailed) {
  ClusterClient cluster(env_, env_.network(), options({"nowhere", "nobody"}));
  auto body = [&]() -> Task<void> {
    MonoTime begin = env_.now();
    auto view = co_await cluster.refresh_all(env_.in(seconds(20)));
    EXPECT_FALSE(view);
    EXPECT_LE(env_.now() - begin, seconds(21));
  };
  run(body());
}

TEST_F(ClusterClientTest, ReconnectsWhenABrokerComesBack) {
  answers(start_broker("east"));
  ClusterClient cluster(env_, env_.network(), options({"east"}));
  auto body = [&]() -> Task<void> {
    EXPECT_TRUE(co_await cluster.refresh_all(env_.in(minutes(1))));
    brokers_["east"]->kill();
    co_await env_.sleep(seconds(1));
    world_.after(seconds(10), [&] { answers(start_broker("east")); });
    auto view = co_await cluster.refresh_all(env_.in(minutes(1)));
    EXPECT_TRUE(view) << view.error().to_string();
  };
  run(body());
}

TEST_F(ClusterClientTest, SendsARequestOnceIfItMustNotBeRepeated) {
  answers(start_broker("east"));
  ClusterClient cluster(env_, env_.network(), options({"east"}));
  auto body = [&]() -> Task<void> {
    CreateTopicsRequest first, second;
    auto created = co_await cluster.call_any(std::move(first), Repeat::kNo, env_.in(minutes(1)));
    EXPECT_EQ(created.error().code, farshore::ErrorCode::kConnectionReset);
    EXPECT_EQ(creates, 1);
    created = co_await cluster.call_any(std::move(second), Repeat::kYes, env_.in(seconds(30)));
    EXPECT_FALSE(created);
    EXPECT_GT(creates, 3);
  };
  run(body());
}

TEST_F(ClusterClientTest, FindsTheCoordinatorAgainAfterItMoved) {
  answers(start_broker("east"));
  answers(start_broker("west"));
  coordinator = -1;
  ClusterClient cluster(env_, env_.network(), options({"east"}));
  world_.after(seconds(5), [&] { coordinator = 1; });
  auto body = [&]() -> Task<void> {
    auto id = co_await cluster.coordinator(CoordinatorKind::kGroup, "g", env_.in(minutes(1)));
    EXPECT_TRUE(id);
    EXPECT_EQ(*id, 1);
    coordinator = 2;  // east answers NOT_COORDINATOR from now on
    world_.after(seconds(3), [&] { serving = "west"; });
    HeartbeatRequest heartbeat;
    auto beat = co_await cluster.call_coordinator(CoordinatorKind::kGroup, "g", std::move(heartbeat), Repeat::kYes,
                                                  env_.in(minutes(1)));
    EXPECT_TRUE(beat);
    EXPECT_EQ(beat->error_code, 0);
    EXPECT_GT(heartbeats, 1);
  };
  run(body());
}

}  // namespace
}  // namespace farshore::kafka
