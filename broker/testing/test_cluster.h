// For tests: a broker on one simulated host, and clients on another.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "base/sim/world.h"
#include "base/slab.h"
#include "broker/broker.h"
#include "broker/broker_config.h"
#include "broker/handlers/services.h"
#include "broker/partitions/partition_table.h"
#include "broker/testing/test_client.h"
#include "proto/kafka/error_code.h"
#include "proto/kafka/messages/create_topics.h"

namespace farshore::broker {

class TestCluster {
 public:
  static constexpr Duration kLimit = seconds(300);

  explicit TestCluster(uint64_t seed) : world_(options(seed)), client_env_(world_.start_process("client", "client")) {
    ::testing::Test::RecordProperty("seed", std::to_string(seed));
  }
  ~TestCluster() {
    if (broker_ && !env_->dead()) (void)world_.run(*env_, broker_->stop(), kLimit);
  }

  void set(std::string name, std::string value) { properties_[std::move(name)] = std::move(value); }
  void start() {
    Status result = try_start();
    ASSERT_TRUE(result) << result.error().to_string();
  }
  // `kill_at`: the process is killed at this resumption of its start; then the result is kClosed.
  Status try_start(uint64_t kill_at = 0) {
    Config config(broker_schema());
    EXPECT_TRUE(config.set("listeners", "PLAINTEXT://east-1:9092"));
    EXPECT_TRUE(config.set("log.dirs", "/data"));
    for (const auto& [name, value] : properties_) EXPECT_TRUE(config.set(name, value)) << name;
    env_ = &world_.start_process("east-1", "broker");
    broker_ = std::make_unique<Broker>(*env_, env_->kv(), std::move(config));
    Status result = Error(ErrorCode::kInternal, "did not end");
    if (kill_at > 0) env_->at_resumption(kill_at, [this] { world_.kill(*env_); });
    const bool ended = world_.run(*env_, start_task(result), kLimit);
    EXPECT_TRUE(ended || kill_at > 0);
    if (kill_at > 0 && env_->dead()) {
      broker_.reset();
      return Error(ErrorCode::kClosed, "killed");
    }
    return result;
  }
  void stop() {
    EXPECT_TRUE(world_.run(*env_, broker_->stop(), kLimit));
    broker_.reset();
    world_.kill(*env_);
  }
  void kill() {
    world_.kill(*env_);
    broker_.reset();
  }
  // Frees the broker of a process that is dead already.
  void forget() { broker_.reset(); }
  // Runs a client's coroutine to its end.
  void run(Task<void> task) { ASSERT_TRUE(world_.run(client_env_, std::move(task), kLimit)) << "it did not end"; }
  // Runs a coroutine inside the broker's process.
  void run_inside(Task<void> task) { ASSERT_TRUE(world_.run(*env_, std::move(task), kLimit)) << "it did not end"; }
  Env& client() { return client_env_; }
  sim::SimEnv& client_env() { return client_env_; }
  sim::SimEnv& env() { return *env_; }
  Broker& broker() { return *broker_; }
  Services& services() { return broker_->services(); }
  sim::SimWorld& world() { return world_; }
  SlabArena& arena() { return arena_; }  // for the batches of a test
  PartitionPtr partition(const std::string& topic, int32_t index) {
    auto found = services().partitions.find(std::string_view(topic), index);
    EXPECT_TRUE(found) << topic << "-" << index;
    return found ? *found : nullptr;
  }
  static Endpoint endpoint() { return Endpoint{"east-1", 9092}; }
  // Connections that the broker ended for this reason.
  uint64_t ended(const char* reason) {
    MetricLabels labels = {{"reason", reason}};
    return env_->metrics().counter("farshore_broker_connections_ended_total", "", labels).value();
  }

 private:
  static sim::SimOptions options(uint64_t seed) {
    sim::SimOptions options;
    options.seed = seed;
    return options;
  }
  Task<void> start_task(Status& result) { result = co_await broker_->start(); }

  SlabArena arena_;
  sim::SimWorld world_;
  sim::SimEnv& client_env_;
  sim::SimEnv* env_ = nullptr;
  std::unique_ptr<Broker> broker_;
  std::map<std::string, std::string> properties_;
};

// Ends a coroutine of a test where it makes no sense to go on.
#define FARSHORE_CO_REQUIRE(condition)     \
  do {                                     \
    if (!(condition)) {                    \
      ADD_FAILURE() << "not: " #condition; \
      co_return;                           \
    }                                      \
  } while (0)

constexpr int16_t wire_code(kafka::ErrorCode error) { return static_cast<int16_t>(error); }

inline kafka::CreateTopicsRequest new_topic(std::string name, int32_t partitions,
                                            std::map<std::string, std::string> configs = {}) {
  kafka::CreateTopicsRequest request;
  auto& topic = request.topics.emplace_back();
  topic.name = std::move(name);
  topic.num_partitions = partitions;
  topic.replication_factor = -1;
  for (auto& [key, value] : configs) {
    auto& config = topic.configs.emplace_back();
    config.name = key;
    config.value = value;
  }
  request.timeout_ms = 10000;
  return request;
}

}  // namespace farshore::broker
