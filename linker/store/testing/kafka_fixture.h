// KafkaFixture: a gateway process and a FakeKafka on the simulated network, for tests of what the linker stores at a
// Kafka cluster.
#pragma once

#include <gtest/gtest.h>

#include "base/sim/net.h"
#include "base/sim/world.h"
#include "base/testing/async_test.h"
#include "base/testing/seed.h"
#include "linker/store/link_store.h"
#include "proto/kafka/client/cluster_client.h"
#include "proto/kafka/fake/fake_kafka.h"

// In a coroutine: the statement must succeed. Its result has a name, because g++ 12 corrupts frames with unnamed ones.
#define CO_DO(...)              \
  do {                          \
    auto co_do = (__VA_ARGS__); \
    CO_ASSERT_OK(co_do);        \
  } while (0)

namespace farshore::linker {

inline StoredEntry entry(std::string key, std::string value, int64_t revision) {
  StoredEntry out;
  out.key = std::move(key);
  out.value = std::move(value);
  out.revision = revision;
  return out;
}

// The entry is a named argument: g++ 12 destroys an unnamed one twice.
inline Task<Result<int64_t>> put(LinkStore& store, StoredEntry what, Deadline deadline) {
  return store.replace(std::move(what), deadline);
}

class KafkaFixture : public testing::Test {
 public:
  using Fate = kafka::FakeKafka::Fate;
  static constexpr int16_t kProduceKey = 0;

  KafkaFixture()
      : world_(options()),
        env_(world_.start_process("gateway", "test")),
        broker_env_(world_.start_process("kafka", "broker")),
        kafka_(broker_env_, Endpoint{"kafka", 9092}) {
    world_.spawn(broker_env_, kafka_.run());
    EXPECT_EQ(world_.run_until([&] { return kafka_.listening(); }, seconds(10)), sim::RunEnd::kDone);
    cluster_ = connect(env_);
  }
  ~KafkaFixture() override {
    world_.kill(broker_env_);
    world_.kill(env_);
  }

  static sim::SimOptions options() {
    sim::SimOptions options;
    options.seed = announced_seed(20261126);
    options.buggify = false;
    return options;
  }
  static std::unique_ptr<kafka::ClusterClient> connect(sim::SimEnv& env) {
    kafka::ClusterOptions cluster;
    cluster.bootstrap.push_back(Endpoint{"kafka", 9092});
    return std::make_unique<kafka::ClusterClient>(env, env.network(), std::move(cluster));
  }
  void run(Task<void> task) { EXPECT_TRUE(world_.run(env_, std::move(task), hours(10))); }
  Deadline soon() { return env_.in(seconds(30)); }

  sim::SimWorld world_;
  sim::SimEnv& env_;
  sim::SimEnv& broker_env_;
  kafka::FakeKafka kafka_;
  std::unique_ptr<kafka::ClusterClient> cluster_;
};

}  // namespace farshore::linker
