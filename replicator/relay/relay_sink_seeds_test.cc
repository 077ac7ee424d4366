// Seeded: a relay under kills, stops, lost acknowledgements, foreign writers, retention and forgotten producers. Each
// seed is one world; a failing one is printed. FARSHORE_SEEDS: how many. FARSHORE_SEED: only this one.
#include <gtest/gtest.h>

#include <cstdlib>

#include "replicator/relay/testing/relay_world.h"

namespace farshore::replicator {
namespace {

constexpr int64_t kDayMs = 86'400'000;

enum class Planted { kNone, kNoScan, kNoMarker };

class Scenario {
 public:
  Scenario(uint64_t seed, Planted planted) : world_(seed, 2), random_(world_.world.random()) {
    options_.sink.timeout = seconds(2);
    options_.sink.test_only_skip_scan = planted == Planted::kNoScan;
    options_.sink.test_only_skip_marker = planted == Planted::kNoMarker;
    options_.claim_chance = random_.below(3) == 0 ? 0.0 : 0.2;
    if (random_.below(4) == 0) options_.sink.anchor_records_max = 20;
    const size_t merged_bytes_max[] = {0, 500, 3000, 128 << 10};
    options_.sink.merged_bytes_max = merged_bytes_max[random_.below(4)];
    forgets_ = random_.below(2) == 0;
    world_.kafka.chances = {0.03, 0.05, 0.1};
    if (random_.below(4) == 0) world_.kafka.version_max[0] = 12;
    for (auto& [index, source] : world_.source) append(source, 40);
  }

  // Empty: all went well.
  std::string play() {
    world_.start_gateway(options_);
    for (int i = 0; i < 14; ++i) {
      run_for(milliseconds(random_.between(1, random_.below(3) == 0 ? 2000 : 120)));
      if (i < 6) append(world_.source[static_cast<int32_t>(random_.below(2))], static_cast<int>(random_.below(12)));
      disturb();
      if (!failure_.empty()) return failure_;
      if (stopped) return world_.wrong(true);
    }
    world_.kafka.chances = {};
    kill_all();
    world_.start_gateway(options_);
    const bool done = world_.until(
        [&] {
          look();
          return world_.gateway().caught_up() || stopped || !failure_.empty();
        },
        seconds(300));
    if (!failure_.empty()) return failure_;
    if (!done) return "it does not catch up";
    run_for(seconds(30));  // whatever is still in a socket
    return failure_.empty() ? world_.wrong(stopped) : failure_;
  }

  bool stopped = false;  // for want of evidence

 private:
  void append(SourcePartition& source, int batches) {
    for (int i = 0; i < batches; ++i) {
      if (random_.below(15) == 0) ++epoch_;
      const int64_t gap = random_.below(12) == 0 ? random_.between(1, 9) : 0;
      // Three days old or of today.
      const int64_t at = now_ms() - (random_.below(2) == 0 ? 3 * kDayMs : 0);
      source.append(static_cast<int>(random_.between(1, 8)), epoch_, at, gap);
      if (random_.below(15) != 0) continue;
      BatchBuilder marker;
      marker.base_offset(source.end).leader_epoch(epoch_).producer(55, 1, -1).add_marker(ControlType::kAbort, 0, at);
      source.add(marker);
    }
  }
  int64_t now_ms() { return world_.kafka_env.wall_now().milliseconds_since_epoch; }

  // A partition that was fenced by a gateway that is gone begins again; any other failure is one of ours.
  void look() {
    for (auto& each : world_.gateways) {
      if (each->env.dead()) continue;
      for (const Error& why : each->failures) {
        if (why.code == ErrorCode::kOutOfRange && deleted_) {
          stopped = true;  // the target deleted the evidence: it stops, and must not have done anything wrong
        } else if (why.code != ErrorCode::kFenced) {
          failure_ = "a partition failed: " + why.to_string();
          return;
        }
      }
      each->failures.clear();
      for (auto& [index, source] : world_.source) {
        if (each->pump(index).phase() == PumpPhase::kFailed && each.get() == &world_.gateway() && !each->env.paused())
          each->pump(index).restart();
      }
    }
  }
  void run_for(Duration time) {
    const Duration end = world_.world.now() + time;
    while (world_.world.now() < end && failure_.empty()) {
      world_.world.run_for(std::min(end - world_.world.now(), Duration(milliseconds(50))));
      look();
    }
  }
  void kill_all() {
    for (auto& each : world_.gateways) {
      if (!each->env.dead()) world_.world.kill(each->env);
    }
    if (world_.kafka_env.paused()) world_.kafka_env.resume();
  }
  void kill_gateway() {
    RelayGateway& gateway = world_.gateway();
    if (!gateway.env.dead()) world_.world.kill(gateway.env);
  }

  void disturb() {
    switch (random_.below(8)) {
      case 0:
      case 1:  // killed, at once or a few steps later
        if (random_.below(2) == 0) {
          bool* died = &(died_ = false);
          auto* env = &world_.gateway().env;
          env->at_resumption(static_cast<uint64_t>(random_.between(1, 400)), [this, env, died] {
            world_.world.kill(*env);
            *died = true;
          });
          world_.until([&] { return died_; }, seconds(2));
        }
        kill_gateway();
        if (random_.below(3) == 0) run_for(seconds(random_.between(0, 4)));
        world_.start_gateway(options_);
        break;
      case 2:  // the gateway is stopped, another takes over, and it wakes up
      {
        RelayGateway& old = world_.gateway();
        if (old.env.dead()) break;
        old.env.pause();
        world_.start_gateway(options_);
        run_for(milliseconds(random_.between(1, 3000)));
        old.env.resume();
        run_for(milliseconds(random_.between(1, 2000)));
        if (!old.env.dead()) world_.world.kill(old.env);
        break;
      }
      case 3:  // the target is stopped with requests in its socket; perhaps the gateway dies meanwhile
        world_.kafka_env.pause();
        run_for(milliseconds(random_.between(1, random_.below(2) == 0 ? 200 : 9000)));
        if (random_.below(2) == 0) {
          kill_gateway();
          world_.start_gateway(options_);
          run_for(milliseconds(random_.between(1, 6000)));
        }
        world_.kafka_env.resume();
        break;
      case 4:
        world_.world.net().reset_one("target");
        break;
      case 5:  // a long time with nobody: the target forgets, or deletes; never both, as nothing would tell then
        kill_gateway();
        run_for(seconds(15));
        if (forgets_) {
          for (auto& partition : world_.kafka.topics.at(kRelayTopic).partitions)
            partition.expire_older_than(now_ms() - kDayMs);
        } else {
          FakePartition& partition = world_.target(static_cast<int32_t>(random_.below(2)));
          deleted_ = true;
          partition.delete_up_to(random_.between(partition.log_start, partition.end));
        }
        world_.start_gateway(options_);
        break;
      default:
        break;
    }
  }

  RelayWorld world_;
  Random& random_;
  RelayGateway::Options options_;
  bool forgets_ = false, deleted_ = false, died_ = false;
  int32_t epoch_ = 3;
  std::string failure_;
};

uint64_t seeds() {
  const char* given = std::getenv("FARSHORE_SEEDS");
  return given ? std::stoull(given) : 300;
}

TEST(RelaySinkSeeds, UnderRandomFaultsRecordsArriveOnceInOrderAndTranslateExactly) {
  uint64_t first = 1, last = seeds();
  if (const char* only = std::getenv("FARSHORE_SEED")) first = last = std::stoull(only);
  uint64_t stopped = 0;
  for (uint64_t seed = first; seed <= last; ++seed) {
    Scenario scenario(seed, Planted::kNone);
    const std::string wrong = scenario.play();
    ASSERT_EQ(wrong, "") << "seed " << seed << ": FARSHORE_SEED=" << seed;
    stopped += scenario.stopped;
  }
  std::cout << "seeds " << first << " to " << last << ", " << stopped << " stopped for want of evidence\n";
  EXPECT_LT(stopped * 10, last - first + 10);
}

// How many seeds until it is found; 0: never.
uint64_t found_after(Planted planted, uint64_t limit) {
  for (uint64_t seed = 1; seed <= limit; ++seed) {
    const std::string wrong = Scenario(seed, planted).play();
    if (wrong.empty()) continue;
    std::cout << "found by seed " << seed << ": " << wrong << "\n";
    return seed;
  }
  return 0;
}

TEST(RelaySinkSeeds, InjectedSkipOfTheScanIsFound) { EXPECT_GT(found_after(Planted::kNoScan, 50), 0u); }

TEST(RelaySinkSeeds, InjectedSkipOfTheMarkerIsFound) { EXPECT_GT(found_after(Planted::kNoMarker, 100), 0u); }

}  // namespace
}  // namespace farshore::replicator
