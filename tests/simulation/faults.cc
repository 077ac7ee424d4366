#include "tests/simulation/faults.h"

#include <array>

#include "base/sim/disk.h"
#include "base/sim/net.h"

namespace farshore::simulation {
namespace {

// Records carry the client's time: brokers refuse what is more than an hour ahead of theirs.
constexpr int64_t kJumpMax_ms = 20 * 60 * 1000;

}  // namespace

void Faults::kill_at_resumption(sim::SimEnv& env, int64_t most) {
  if (env.dead()) return;
  const auto n = static_cast<uint64_t>(clusters_.random().between(1, most));
  clusters_.say("will kill " + env.name() + " at resumption " + std::to_string(n));
  env.at_resumption(n, [this, &env, round = round_] {
    if (round != round_) return;
    look_();
    clusters_.world().kill(env);
  });
}

void Faults::lose_power(Node& node) {
  look_();
  if (!node.fsync) {
    node.lost = true;
    node.lost_at.push_back(clusters_.world().now());
  }
  clusters_.say(std::string("power off ") + node.host);
  clusters_.world().power_off(node.host);
}

const char* Faults::pick_host() {
  const auto hosts = clusters_.hosts();
  return hosts[clusters_.random().below(hosts.size())];
}

void Faults::slow_link(const char* a, const char* b) {
  Random& random = clusters_.random();
  clusters_.say(std::string("slow ") + a + " -> " + b);
  sim::LinkProfile slow;
  slow.delay_min = milliseconds(random.between(0, 80));
  slow.delay_max = slow.delay_min + milliseconds(random.between(1, 200));
  slow.bytes_per_second = random.chance(0.5) ? 200e6 : 300e3;
  clusters_.world().net().set_profile(a, b, slow);
}

void Faults::pause_one() {
  const auto all = clusters_.processes();
  sim::SimEnv* env = all[clusters_.random().below(all.size())];
  if (env->dead()) return;
  clusters_.say("pause " + env->name());
  env->pause();
}

// A write that fails once takes its log offline until the broker is started again; a full disk refuses for a while.
// A sync that fails is left out: what it did not write is lost in silence, and no single copy survives that.
void Faults::disk_fault(Node& node) {
  auto& disk = clusters_.world().disk(node.host);
  if (node.disk_fault) {
    clusters_.say(std::string("the disk of ") + node.host + " is well again");
    disk.heal();
    clusters_.kill(node);
    node.disk_fault = false;
    return;
  }
  node.disk_fault = true;
  if (clusters_.random().chance(0.5)) {
    clusters_.say(std::string("a write fails at ") + node.host);
    return disk.fail_next(sim::DiskOp::kWrite, "/data/" + std::string(kTopic), 1);
  }
  clusters_.say(std::string("the disk is full at ") + node.host);
  disk.set_capacity(disk.used_bytes() + static_cast<uint64_t>(clusters_.random().between(0, 20'000)));
}

void Faults::jump_clock() {
  const char* host = pick_host();
  auto& offset = clusters_.world().host(host).wall_offset_ms;
  offset = clusters_.random().between(-kJumpMax_ms, kJumpMax_ms);
  clusters_.say(std::string("the clock of ") + host + " is off by " + std::to_string(offset) + " ms");
}

void Faults::one() {
  ++count_;
  Random& random = clusters_.random();
  auto& net = clusters_.world().net();
  const char* a = pick_host();
  const char* b = pick_host();
  const int64_t soon = random.chance(0.5) ? 60 : 3000;
  switch (random.below(16)) {
    case 0:
      return kill_at_resumption(*clusters_.east().env, soon);
    case 1:
      return kill_at_resumption(*clusters_.west().env, soon);
    case 2: {
      auto& gateways = clusters_.gateways();
      return kill_at_resumption(*gateways[gateways.size() > 1 ? random.below(gateways.size()) : 0].env, soon);
    }
    case 3:
      clusters_.say(std::string("partition ") + a + " " + b);
      return net.partition(a, b);
    case 4:
      clusters_.say(std::string("cut ") + a + " -> " + b);
      return net.cut(a, b);
    case 5:
      clusters_.say(std::string("reset of ") + a);
      return (void)net.reset_one(a);
    case 6:
      clusters_.say(std::string("black hole at ") + a);
      return (void)net.black_hole_one(a, random.chance(0.5));
    case 7:
      clusters_.say("swizzle");
      return net.swizzle({kEast, kWest, kGateway}, seconds(2));
    case 8:
      clusters_.say(std::string("clog ") + a + " -> " + b);
      return net.clog(a, b, milliseconds(random.between(10, 5000)));
    case 9:
      if (clusters_.power_losses()) return lose_power(random.chance(0.5) ? clusters_.east() : clusters_.west());
      return net.heal();
    case 10:
      return slow_link(a, b);
    case 11:
      return pause_one();
    case 12:
      if (clusters_.disk_faults()) return disk_fault(random.chance(0.5) ? clusters_.east() : clusters_.west());
      return net.heal();
    case 13:
      if (clusters_.clock_jumps()) return jump_clock();
      return net.heal();
    default:
      clusters_.say("heal the network");
      net.heal();
  }
}

}  // namespace farshore::simulation
