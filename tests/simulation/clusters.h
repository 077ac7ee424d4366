// Clusters: the processes of a run. A source broker (east), a target broker (west), the gateway between them, the
// operator who creates the link, and the client's host; with the options that the seed chose.
#pragma once

#include <array>
#include <functional>
#include <string>
#include <vector>

#include "base/sim/world.h"
#include "broker/partitions/partition_table.h"
#include "linker/gateway.h"
#include "tests/simulation/history.h"

namespace farshore::broker {
class Broker;
}

namespace farshore::simulation {

struct RunOptions;

inline constexpr const char* kEast = "east-1";
inline constexpr const char* kWest = "west-1";
inline constexpr const char* kGateway = "gateway";
inline constexpr const char* kGateway2 = "gateway-2";
inline constexpr const char* kClient = "client";
inline constexpr const char* kLink = "east-west";

constexpr Duration kStopLimit = seconds(60);  // simulated, of a broker, a gateway or a producer that was told to stop

struct Node {
  explicit Node(const char* h) : host(h) {}
  const char* host;
  bool fsync = false;
  bool lost = false;  // power was lost and acknowledgements did not wait for fsync: written records may be gone
  std::vector<Duration> lost_at;  // each time that it was
  bool disk_fault = false;        // its disk had an error: a log may be offline until the next start
  sim::SimEnv* env = nullptr;
  broker::Broker* broker = nullptr;  // owned by the process
  bool started = false;
  std::array<int64_t, kPartitions> high_watermark{};  // of this incarnation
  bool up() const { return env && !env->dead() && started; }
};

// One gateway of the target: its process, and the object in it. `env` stays valid after a kill, `gateway` does not.
struct GatewayNode {
  explicit GatewayNode(const char* h) : host(h) {}
  const char* host;
  sim::SimEnv* env = nullptr;
  linker::Gateway* gateway = nullptr;
  bool up() const { return env && !env->dead(); }
};

class Clusters {
 public:
  // `gateways`: 1, or 2 that take over from each other. With two, nobody creates the link by himself, and the brokers
  // apply retention and compaction every other second.
  Clusters(const RunOptions& options, History& history, size_t gateways = 1);

  sim::SimWorld& world() { return world_; }
  Random& random() { return random_; }
  History& history() { return history_; }
  Node& east() { return east_; }
  Node& west() { return west_; }
  std::vector<GatewayNode>& gateways() { return gateways_; }
  sim::SimEnv& gateway_env() { return *gateways_[0].env; }
  linker::Gateway& gateway() { return *gateways_[0].gateway; }
  std::vector<const char*> hosts() const;
  std::vector<sim::SimEnv*> processes() const;  // brokers and gateways, also dead ones
  const std::string& create_error() const { return create_error_; }
  // The choices of the seed, as text for people.
  std::string how() const;
  bool power_losses() const { return power_losses_; }
  bool disk_faults() const { return disk_faults_; }
  bool clock_jumps() const { return clock_jumps_; }

  void start();
  // Each dead process comes back with this chance, each paused one goes on; not the source once its region is gone.
  void revive(double chance);
  void lose_east_for_good() { east_is_gone_ = true; }
  // Network, disks and clocks as they should be, everything runs; brokers with an offline log are started again.
  void heal();
  void kill(Node& node);
  void start_gateway(GatewayNode& node);
  // nullptr: not there, or not open (now).
  broker::PartitionPtr partition(Node& node, int32_t index) { return partition(node, kTopic, index); }
  broker::PartitionPtr partition(Node& node, const std::string& topic, int32_t index);
  // The newest offsets that the group committed at this node; empty while they are not loaded.
  std::map<int32_t, int64_t> committed(Node& node, const std::string& group, const std::string& topic = kTopic);
  // The source's process, also a dead one: a number that the next one does not have.
  uint32_t east_process() const { return east_.env ? east_.env->index() : 0; }
  // The time of the world at which a wall clock that is right shows `wall_ms`.
  Duration since_begin(int64_t wall_ms);
  bool until(const std::function<bool()>& done, Duration limit) {
    return world_.run_until(done, limit) == sim::RunEnd::kDone;
  }
  void say(const std::string& text);

 private:
  void start_broker(Node& node);
  void set_profiles();  // of the network as it is without faults
  Task<void> start_task(Node& node);
  Task<void> gateway_task();

  const RunOptions& options_;
  sim::SimWorld world_;
  Random& random_;
  History& history_;
  Node east_{kEast}, west_{kWest};
  const bool power_losses_, small_segments_, bytewise_, disk_faults_, clock_jumps_;
  Duration long_way_{};  // from the source to the gateway, one way; 0: near
  size_t ahead_ask_bytes_ = 0;
  bool east_is_gone_ = false;
  std::vector<GatewayNode> gateways_;
  std::string create_error_;
};

}  // namespace farshore::simulation
