// For tests: RelayWorld, a source, a fake Kafka target, and gateways that relay the one to the other, one after the
// other or side by side. wrong() compares the target with the source, record by record.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/sim/net.h"
#include "replicator/relay/testing/relay_gateway.h"

namespace farshore::replicator {

class RelayWorld {
 public:
  explicit RelayWorld(uint64_t seed, int32_t partitions = 1)
      : world(sim_options(seed)), kafka_env(world.start_process("target", "kafka")), kafka(kafka_env, address()) {
    kafka.add_topic(kRelayTopic, partitions);
    kafka.add_topic(kRelayLog, 1);
    world.spawn(kafka_env, kafka.run());
    for (int32_t i = 0; i < partitions; ++i) source[i];
  }
  ~RelayWorld() {
    kill_gateways();
    if (!kafka_env.dead()) world.kill(kafka_env);
  }

  RelayGateway& start_gateway(RelayGateway::Options options = {}) {
    sim::SimEnv& env = world.start_process("gateway" + std::to_string(gateways.size() % 4), "gateway");
    gateways.push_back(std::make_unique<RelayGateway>(env, kafka, down, source, options));
    return *gateways.back();
  }
  RelayGateway& gateway() { return *gateways.back(); }
  void kill_gateways() {
    for (auto& each : gateways) {
      if (!each->env.dead()) world.kill(each->env);
    }
  }
  FakePartition& target(int32_t index = 0) { return kafka.partition(kRelayTopic, index); }
  bool until(const std::function<bool()>& done, Duration limit = seconds(120)) {
    return world.run_until(done, limit) == sim::RunEnd::kDone;
  }
  bool until_caught_up(Duration limit = seconds(120)) {
    return until([&] { return gateway().caught_up() || !gateway().failures.empty(); }, limit) && gateway().caught_up();
  }

  // Every source record is at the target once, in order, and every run points at the same record on both sides.
  // Empty: so it is. Offsets that the target deleted are not looked at. `stopped`: the end may be missing.
  std::string wrong(bool stopped = false) {
    for (auto& [index, from] : source) {
      FakePartition& to = target(index);
      const auto values = to.values();
      auto expected = from.values.begin();
      if (to.log_start > 0 && !values.empty()) {  // begins with what is left
        while (expected != from.values.end() && expected->second != values.begin()->second) ++expected;
      }
      const std::string where = "partition " + std::to_string(index) + ", target offset ";
      for (const auto& [offset, value] : values) {
        if (expected == from.values.end())
          return where + std::to_string(offset) + ": \"" + value + "\" is one too many";
        if (value != expected->second)
          return where + std::to_string(offset) + ": \"" + value + "\" where \"" + expected->second + "\" is due";
        ++expected;
      }
      if (expected != from.values.end() && !stopped && !(values.empty() && to.log_start > 0))
        return "partition " + std::to_string(index) + ": \"" + expected->second + "\" is missing";
      for (const TranslationRun& run : down.told[RelayGateway::key_of(index)]) {
        for (int64_t i = 0; i < run.length; ++i) {
          const int64_t at = run.target.value() + i;
          if (at < to.log_start) continue;
          auto there = values.find(at);
          auto here = from.values.find(run.source.value() + i);
          if (there == values.end() || here == from.values.end() || there->second != here->second)
            return where + std::to_string(at) + ": translated from source offset " +
                   std::to_string(run.source.value() + i) + ", which is another record";
        }
      }
    }
    return "";
  }

  static Endpoint address() { return Endpoint{"target", 9092}; }

  sim::SimWorld world;
  sim::SimEnv& kafka_env;
  FakeKafka kafka;
  std::map<int32_t, SourcePartition> source;
  WrittenDown down;
  std::vector<std::unique_ptr<RelayGateway>> gateways;

 private:
  static sim::SimOptions sim_options(uint64_t seed) {
    sim::SimOptions options;
    options.seed = seed;
    return options;
  }
};

}  // namespace farshore::replicator
