// Fixtures for tests of programs that talk to Kafka: FakeKafka brokers and a client's process on the simulated network.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>

#include "base/contract/harness.h"
#include "base/sim/net.h"
#include "base/sim/world.h"
#include "base/testing/async_test.h"
#include "base/testing/seed.h"
#include "proto/kafka/client/cluster_client.h"
#include "proto/kafka/fake/fake_kafka.h"

namespace farshore::kafka {

inline constexpr uint16_t kPort = 9092;

inline constexpr uint64_t kUsualSeed = 20261126;

// A network without faults that the test did not ask for.
inline sim::SimOptions fault_free() {
  sim::SimOptions options;
  options.seed = announced_seed(kUsualSeed);
  options.buggify = false;
  return options;
}

// The options of a client whose only bootstrap address is `host`.
inline ClusterOptions cluster_at(std::string host) {
  ClusterOptions options;
  options.bootstrap.push_back(Endpoint{std::move(host), kPort});
  return options;
}

// A FakeKafka in a simulated process of its own, at <host>:9092. It begins to listen when the world runs. The process
// is killed with this object.
class KafkaNode {
 public:
  KafkaNode(sim::SimWorld& world, const std::string& host)
      : world_(world), env_(world.start_process(host, "broker")), kafka_(env_, Endpoint{host, kPort}) {
    world_.spawn(env_, kafka_.run());
  }
  ~KafkaNode() { kill(); }
  KafkaNode(const KafkaNode&) = delete;
  KafkaNode& operator=(const KafkaNode&) = delete;

  FakeKafka& kafka() { return kafka_; }
  sim::SimEnv& env() { return env_; }
  // Not from inside the running world.
  void run_until_listening() {
    EXPECT_EQ(world_.run_until([this] { return kafka_.listening(); }, seconds(10)), sim::RunEnd::kDone);
  }
  void kill() {
    if (!env_.dead()) world_.kill(env_);
  }

 private:
  sim::SimWorld& world_;
  sim::SimEnv& env_;
  FakeKafka kafka_;
};

// A client's process, and brokers that the test starts.
class KafkaWorld : public testing::Test {
 public:
  explicit KafkaWorld(sim::SimOptions options = fault_free(), const std::string& client_host = "gateway")
      : world_(options), env_(world_.start_process(client_host, "test")) {}
  ~KafkaWorld() override {
    brokers_.clear();
    if (!env_.dead()) world_.kill(env_);
  }

  // Starts a broker, or replaces one that was killed.
  FakeKafka& start_broker(const std::string& host) {
    auto& node = brokers_[host];
    node = std::make_unique<KafkaNode>(world_, host);
    return node->kafka();
  }
  // Waits until all brokers listen, then runs the world until `task` has ended.
  void run(Task<void> task) {
    for (auto& [host, node] : brokers_) node->run_until_listening();
    const bool ended = world_.run(env_, std::move(task), hours(10));
    if (!ended) world_.print(stderr);
    EXPECT_TRUE(ended);
  }
  Deadline soon() { return env_.in(seconds(30)); }

  sim::SimWorld world_;
  sim::SimEnv& env_;
  std::map<std::string, std::unique_ptr<KafkaNode>> brokers_;
};

// One broker at "kafka:9092" that listens, and a client of it.
class KafkaFixture : public KafkaWorld {
 public:
  using Fate = FakeKafka::Fate;
  static constexpr int16_t kProduceKey = 0;

  explicit KafkaFixture(const std::string& client_host = "gateway")
      : KafkaWorld(fault_free(), client_host), kafka_(start_broker("kafka")), broker_env_(brokers_["kafka"]->env()) {
    brokers_["kafka"]->run_until_listening();
    cluster_ = connect(env_);
  }
  ~KafkaFixture() override {  // a client with calls under way may be destroyed only after its process was killed
    brokers_["kafka"]->kill();
    world_.kill(env_);
  }

  static std::unique_ptr<ClusterClient> connect(sim::SimEnv& env) {
    return std::make_unique<ClusterClient>(env, env.network(), cluster_at("kafka"));
  }

  FakeKafka& kafka_;
  sim::SimEnv& broker_env_;
  std::unique_ptr<ClusterClient> cluster_;
};

}  // namespace farshore::kafka
